"""Preparing clips for training: several at a time, each once, and stopped at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facewire.models.face.mesh import LANDMARKS
from facewire.models.face.observation import Observation
from facewire.models.training import prepare as module
from facewire.models.training.cache import read_cache
from facewire.models.training.prepare import prepare

SEEN = Observation(np.full((256, 256, 3), 90, np.uint8), np.zeros((LANDMARKS, 2), np.float32))


class Film:
    """Some frames of a grey face; its first frame may wait for something."""

    fps = 25.0

    def __init__(self, path: Path, waits: threading.Barrier | None = None) -> None:
        self.path, self.waits, self.given = path, waits, 0

    def frames(self) -> Iterator[tuple[float, Observation | None]]:
        if self.waits is not None:
            self.waits.wait(30)
        for index in range(200):
            self.given += 1
            yield index / 25, SEEN

    def sound(self) -> Iterator[np.ndarray]:
        yield np.zeros(16_000, np.float32)


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    class Nobody:
        def segment(self, frame: np.ndarray) -> np.ndarray:
            return np.zeros(frame.shape[:2], np.float32)

    monkeypatch.setattr(module, "Segmenter", Nobody)
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.mp4").touch()
    return folder


def test_two_at_a_time(clips: Path, tmp_path: Path) -> None:
    """Each film waits until another one has begun, so one alone would never end."""
    barrier = threading.Barrier(2)
    opened: list[str] = []

    def open_footage(path: Path, size: int) -> Film:
        opened.append(path.stem)
        return Film(path, barrier)

    cache = tmp_path / "cache"
    found = list(prepare(clips, cache, open_footage, jobs=2))
    assert [done for done, _, _ in found] == [1, 2, 3, 4]
    assert not any(problem for _, _, problem in found)
    assert [clip.name for clip in read_cache(cache)] == list("abcd")
    list(prepare(clips, cache, open_footage, jobs=2))
    assert sorted(opened) == list("abcd")


def test_it_stops_within_a_clip(clips: Path, tmp_path: Path) -> None:
    films: list[Film] = []
    first = threading.Event()

    class Endless(Film):
        def frames(self) -> Iterator[tuple[float, Observation | None]]:
            if self.path.stem != "a":
                first.set()
                while True:
                    yield 0.0, SEEN
            yield from super().frames()

    def open_footage(path: Path, size: int) -> Film:
        films.append(Endless(path))
        return films[-1]

    cache = tmp_path / "cache"
    steps = prepare(clips, cache, open_footage, jobs=2)
    next(steps)  # "a" is done, and "b" never ends by itself
    assert first.wait(30)
    steps.close()
    assert [path.name for path in cache.glob("*.npz")] == ["a.npz"]
    assert [path for path in cache.iterdir() if path.name.startswith(".")] == []
