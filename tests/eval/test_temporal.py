from __future__ import annotations

import numpy as np
import pytest

from facewire.eval.metrics.base import Frame, Pair
from facewire.eval.metrics.temporal import Flicker, Jitter
from facewire.sender.tracking.tracker import Face

MARKS = np.random.default_rng(0).uniform(50, 200, (478, 2)).astype(np.float32)


def flicker(truth: list[Frame], decoded: list[Frame]) -> float:
    metric = Flicker()
    for index, frames in enumerate(zip(truth, decoded, strict=True)):
        metric.update(Pair(index, *frames))
    return metric.compute()


def grey(*levels: int) -> list[Frame]:
    return [np.full((4, 6, 3), level, np.uint8) for level in levels]


def test_a_still_error_does_not_flicker() -> None:
    moving = [np.random.default_rng(i).integers(0, 200, (8, 8, 3), np.uint8) for i in range(4)]
    assert flicker(moving, [frame + np.uint8(40) for frame in moving]) == 0


def test_what_comes_and_goes_does() -> None:
    assert flicker(grey(100, 100, 100), grey(100, 103, 101)) == pytest.approx((3 + 2) / 2)


def test_a_change_that_is_missed_counts_with_its_sign() -> None:
    assert flicker(grey(10, 30, 10), grey(10, 10, 10)) == 20
    assert flicker(grey(0, 255), grey(255, 0)) == 510


def test_flicker_over_a_part_of_the_picture() -> None:
    truth, decoded = grey(0, 0), grey(0, 0)
    decoded[1][0, 0, 0] = 72
    assert flicker(truth, decoded) == pytest.approx(72 / (4 * 6 * 3))


def test_flicker_needs_two_frames_and_copies_them() -> None:
    assert np.isnan(flicker(grey(5), grey(9)))
    metric, buffer = Flicker(), np.zeros((4, 4, 3), np.uint8)
    for index in range(3):
        buffer[:] = index * 10
        metric.update(Pair(index, np.zeros((4, 4, 3), np.uint8), buffer))
    assert metric.compute() == 10


def jitter(offsets: list[tuple[float, float] | None]) -> float:
    metric, blank = Jitter(), np.zeros((4, 4, 3), np.uint8)
    for index, offset in enumerate(offsets):
        truth = Face(MARKS + np.float32(index**2))  # the head itself may accelerate
        face = None if offset is None else Face(truth.landmarks + np.float32(offset))
        metric.update(Pair(index, blank, blank, truth, face))
    return metric.compute()


def test_steady_offsets_and_drifts_do_not_shake() -> None:
    assert jitter([(3, -2)] * 5) == pytest.approx(0, abs=1e-3)
    assert jitter([(i, -2 * i) for i in range(5)]) == pytest.approx(0, abs=1e-3)


def test_shaking_to_and_fro() -> None:
    # +a, -a, +a has the second difference 4a
    assert jitter([(3, 4), (-3, -4)] * 3) == pytest.approx(4 * 5, rel=1e-4)


def test_a_jump_is_seen_twice() -> None:
    assert jitter([(0, 0), (0, 0), (1, 0), (1, 0), (1, 0)]) == pytest.approx(2 / 3, rel=1e-3)


def test_a_frame_without_face_begins_anew() -> None:
    assert np.isnan(jitter([(0, 0), (9, 0), None, (0, 0), (9, 0)]))
    assert jitter([(0, 0), None, (5, 0), (5, 0), (5, 0)]) == pytest.approx(0, abs=1e-3)
