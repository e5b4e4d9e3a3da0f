"""Imports go down only: between the packages, and between the floors inside each one."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS: dict[str, tuple[str, ...]] = {
    "codec": (
        "errors counters clean_stop",
        "whole_file",
        "untrusted packet motion picture sound identity",
        "keyframe stream identity_packets base_packets light control",
        "file",
    ),
    "models": (
        "tflite mel face cache_folder cores lpips_checkpoint",
        "third_party weights",
        "avfr",
        "judges",
        "training",
        "fusion apb2face",
        "apb2face_v2",
    ),
    "sender": (
        "config tracking photo",
        "frame_grid stream_time resending announcing statistics version appearance",
        "observed rate sound still_work",
        "references reenactment",
        "performing",
        "motion",
        "trickle base",
        "segment",
        "live",
        "feedback sight performance",
        "encoder",
        "files",
    ),
    "receiver": (
        "config outputs statistics report_pace",
        "ordering generators",
        "talking",
        "tracks",
        "reports",
        "decoder",
        "files",
    ),
    "call": (
        "pack base_queue rate_estimate simulated arrivals config abilities signing meeting playing",
        "prompt_queue outgoing_statistics render_load checking devices window line",
        "incoming outgoing",
        "session",
        "party recording workers",
        "stand_in other_side",
        "conversation",
    ),
    "eval": (
        "files clips results statistics",
        "codecs metrics report",
        "cache suite",
        "truth",
        "measure",
        "networks runners sweep",
        "provenance keep",
        "collect",
    ),
}
"""Rooms of each package, lowest floor first. A module or folder may import from lower floors, and
from its own room; neighbours on one floor may too, as long as no circle comes of it."""
MAY_IMPORT = {
    "codec": set(),
    "models": {"codec"},
    "sender": {"codec", "models"},
    "receiver": {"codec", "models"},
    "call": {"codec", "models", "sender", "receiver", "__version__"},
    "eval": {"codec", "models", "sender", "receiver", "call"},
    "cli": {"codec", "models", "sender", "receiver", "call", "eval", "__version__"},
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


def module_of(path: Path) -> str:
    """Full name of the module in a file."""
    name = ".".join(("facewire", *path.relative_to(ROOT).with_suffix("").parts))
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for path in FILES}


def used_by(path: Path) -> set[str]:
    """Modules of facewire that a file imports."""
    names = imported(path.read_text(), path)
    found = {name if name in MODULES else name.rpartition(".")[0] for name in names}
    return {name for name in found if name in MODULES and name != module_of(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_direction(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]
    wrong = packages(path.read_text(), path) - MAY_IMPORT[package] - {package}
    assert not wrong, f"{package} must not import {sorted(wrong)}"


@pytest.mark.parametrize("package", list(FLOORS))
def test_floors(package: str) -> None:
    """Every room stands on one floor, and nothing is imported from above it."""
    floor = {room: n for n, rooms in enumerate(FLOORS[package]) for room in rooms.split()}
    here = f"facewire.{package}."
    rooms = {name[len(here) :].split(".")[0] for name in MODULES if name.startswith(here)}
    assert rooms == set(floor)
    wrong = [
        f"{name} imports {other}"
        for name, path in MODULES.items()
        if name.startswith(here)
        for other in used_by(path)
        if other.startswith(here)
        and floor[other[len(here) :].split(".")[0]] > floor[name[len(here) :].split(".")[0]]
    ]
    assert not wrong


def test_no_circle() -> None:
    """The modules can be put into an order in which each imports earlier ones only."""
    order = TopologicalSorter({name: used_by(path) for name, path in MODULES.items()})
    assert len(list(order.static_order())) == len(MODULES)  # raises CycleError, naming the circle


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from ..sender import x", {"sender"}),
        ("from .. import sender", {"sender"}),
        ("import facewire.sender.tracking.tracker", {"sender"}),
        ("from facewire import sender", {"sender"}),
        ("def f():\n    from facewire.eval.report.page import y", {"eval"}),
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
    folder = "facewire.receiver.generators"
    runs_on_torch = tuple(f"{folder}.{name}" for name in ("torch", "batch", "reenactors_torch"))
    modules = [
        name
        for name in MODULES
        if name.startswith("facewire.receiver") and name not in runs_on_torch
    ]
    assert loaded_after(*modules).isdisjoint(HEAVY)


def test_the_door_loads_what_is_asked_for() -> None:
    assert "numpy" not in loaded_after("facewire")
    script = "import sys; from facewire import Decoder, Packet, decode_file; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert loaded.isdisjoint({*HEAVY, "openvino", "matplotlib"})


def test_the_modules_that_must_not_load_are_there_to_be_loaded() -> None:
    """Else the two tests above would pass for the wrong reason."""
    assert "torch" in loaded_after("torch")


def test_every_package_is_installed() -> None:
    """One that pyproject.toml does not name works in a checkout, and is missing in a wheel."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = set(settings["tool"]["setuptools"]["packages"])
    folders = [path.parent.relative_to(ROOT) for path in FILES if path.name == "__init__.py"]
    assert named == {"facewire", *(".".join(("facewire", *folder.parts)) for folder in folders)}
