"""How much the base layer counts where it begins, breaks off and comes back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from facewire.receiver.tracks.base import BasePicture
from facewire.receiver.tracks.seam import Seam

PICTURE = np.zeros((2, 2, 3), np.uint8)


def run(
    there: list[bool], step: int = 1, frames: Fraction = Fraction(1)
) -> list[tuple[int, float]]:
    """Age and trust of each picture; `(0, 0.0)` where nothing is used."""
    seam, found = Seam(frames), []
    for n, has in enumerate(there):
        used = seam.next(BasePicture(step * n, PICTURE) if has else None, step * n)
        found.append((0, 0.0) if used is None else (used.age, round(used.trust, 3)))
    return found


def test_at_the_beginning_it_counts_fully() -> None:
    assert run([True] * 3) == [(0, 1.0)] * 3


def test_it_breaks_off_step_by_step() -> None:
    found = run([True, *[False] * 5])
    assert found == [(0, 1.0), (1, 0.75), (2, 0.5), (3, 0.25), (0, 0.0), (0, 0.0)]


def test_it_comes_back_step_by_step() -> None:
    found = run([False, False, *[True] * 6])
    assert found == [(0, 0.0)] * 2 + [(0, t) for t in (0.2, 0.4, 0.6, 0.8, 1.0, 1.0)]


def test_a_short_gap_is_bridged() -> None:
    assert [trust for _, trust in run([True, False, True, True])] == [1.0, 0.75, 0.95, 1.0]


def test_age_counts_frames_whatever_the_ticks() -> None:
    found = run([True, False, False], 40, Fraction(25, 1000))
    assert [age for age, _ in found] == [0, 1, 2]
