"""Imports go one way: codec <- models <- sender, receiver <- eval <- cli."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT = {
    "codec": set(),
    "models": {"codec"},
    "sender": {"codec", "models"},
    "receiver": {"codec", "models"},
    "eval": {"codec", "models", "sender", "receiver"},
    "cli": {"codec", "models", "sender", "receiver", "eval"},
}
FILES = sorted(path for package in MAY_IMPORT for path in (ROOT / package).rglob("*.py"))
HEAVY = ("torch", "mediapipe", "cv2", "PIL", "scipy")


def imported(source: str, path: Path) -> Iterator[str]:
    """Full names that a file imports anywhere in it, relative ones resolved."""
    package = ("facewire", *path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            parts = [*base, *([node.module] if node.module else [])]
            yield from (".".join([*parts, alias.name]) for alias in node.names)


def packages(source: str, path: Path) -> set[str]:
    """Packages of facewire that a file imports from."""
    names = (name.split(".") for name in imported(source, path))
    return {parts[1] for parts in names if parts[0] == "facewire" and len(parts) > 1}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_direction(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    wrong = packages(path.read_text(), path) - MAY_IMPORT[package] - {package}
    assert not wrong, f"{package} must not import {sorted(wrong)}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ..sender import x", {"sender"}),
        ("from .. import sender", {"sender"}),
        ("import facewire.sender.tracker", {"sender"}),
        ("from facewire import sender", {"sender"}),
        ("def f():\n    from facewire.eval.report import y", {"eval"}),
        ("from . import runtime", {"receiver"}),
        ("import numpy\nfrom .runtime import z", {"receiver"}),
        ("from numpy import sender", set()),
    ],
)
def test_the_test_sees_every_way_to_import(source: str, found: set[str]) -> None:
    assert packages(source, ROOT / "receiver" / "decoder.py") == found


def test_codec_needs_three_packages_only() -> None:
    allowed = {"numpy", "msgpack", "av", "facewire", *sys.stdlib_module_names}
    for path in FILES:
        if path.is_relative_to(ROOT / "codec"):
            names = {name.split(".")[0] for name in imported(path.read_text(), path)}
            assert names <= allowed, f"{path.name} imports {sorted(names - allowed)}"


def loaded_after(*modules: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after importing these."""
    script = f"import sys, {', '.join(modules)}; print('\\n'.join(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return {name.split(".")[0] for name in run.stdout.split()}


def test_codec_loads_nothing_heavy() -> None:
    assert loaded_after("facewire.codec").isdisjoint({*HEAVY, "openvino", "safetensors"})


def test_receiver_loads_neither_torch_nor_mediapipe() -> None:
    receiver = ROOT / "receiver"
    modules = ["facewire.receiver"]
    modules += [
        f"facewire.receiver.{path.stem}"
        for path in sorted(receiver.glob("*.py"))
        if path.stem != "__init__" and "torch" not in path.stem
    ]
    assert loaded_after(*modules).isdisjoint(HEAVY)


def test_the_modules_that_must_not_load_are_there_to_be_loaded() -> None:
    """Else the two tests above would pass for the wrong reason."""
    assert "torch" in loaded_after("torch")
