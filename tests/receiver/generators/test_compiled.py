"""Compiled graphs on disk: the same pictures, and no harm from a damaged file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.models.weights import load_card
from facewire.receiver.generators import compiled as module
from facewire.receiver.generators.compiled import FOLDER, MOST_FILES
from facewire.receiver.generators.load import load_generator

from .test_protocol import numbers, picture, points


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """An empty cache folder; the list tells which graphs were compiled."""
    monkeypatch.setenv("FACEWIRE_CACHE", str(tmp_path))
    read: list[str] = []
    real = module.load_graph

    def load(card: Any, part: str) -> Any:
        read.append(part)
        return real(card, part)

    monkeypatch.setattr(module, "load_graph", load)
    return read


def rendered(**options: Any) -> np.ndarray:
    generator = load_generator(load_card("xs"), threads=1, precision="float32", **options)
    source = generator.set_source(picture(), numbers(), points())
    return generator.render(source, numbers(0.1), None)


def test_the_second_start_compiles_nothing_and_shows_the_same(graphs: list[str]) -> None:
    first = rendered()
    assert graphs == ["source", "frame"]
    np.testing.assert_array_equal(rendered(), first)
    assert graphs == ["source", "frame"]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "folder"])
def test_a_damaged_file_is_made_again(damage: str, graphs: list[str], tmp_path: Path) -> None:
    first = rendered()
    for path in (tmp_path / FOLDER).iterdir():
        data = bytearray(path.read_bytes())
        if damage == "flip":
            data[len(data) // 2] ^= 0xFF
        path.unlink()
        if damage == "folder":
            path.mkdir()
        else:
            path.write_bytes({"flip": data, "cut": data[:1000], "empty": b""}[damage])
    np.testing.assert_array_equal(rendered(), first)
    assert graphs == ["source", "frame"] * 2


def test_a_folder_that_cannot_be_made_is_harmless(
    graphs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEWIRE_CACHE", str(tmp_path / "file"))
    assert rendered().shape == (256, 256, 3)


def test_old_files_are_removed(graphs: list[str], tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for number in range(MOST_FILES + 5):
        path = folder / f"{number}.bin"
        path.touch()
        os.utime(path, (number, number))
    rendered()
    assert len(list(folder.iterdir())) == MOST_FILES
    assert not (folder / "0.bin").exists()


def test_several_at_a_time_show_what_one_shows(graphs: list[str]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    card = load_card("xs")
    alone = load_generator(card, threads=1)
    several = load_generator(card, parallel=2)
    source = several.set_source(picture(), numbers(), points())
    moved = [numbers(shift / 100) for shift in range(8)]
    with ThreadPoolExecutor(4) as pool:  # more threads than it renders at a time: they wait
        together = list(pool.map(lambda motion: several.render(source, motion, None), moved))
    source = alone.set_source(picture(), numbers(), points())
    for motion, got in zip(moved, together, strict=True):
        expected = alone.render(source, motion, None)
        assert np.abs(got.astype(int) - expected).max() <= 1
        assert np.abs(got.astype(int) - expected).mean() < 0.001
