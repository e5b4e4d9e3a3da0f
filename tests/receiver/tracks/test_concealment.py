from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.motion.frame import LIMIT, MotionFrame
from facewire.receiver.tracks.concealment import MotionSample, between, predict

FRAME = Fraction(1, 25)


def at(
    index: int, x: float, reference: str = "a", gaze: tuple[float, float] = (0, 0)
) -> MotionSample[str]:
    numbers = np.zeros(62, np.float32)
    numbers[:60:6] = x
    numbers[60:] = gaze
    return MotionSample(index * FRAME, MotionFrame.from_numbers(numbers), reference)


def x(motion: MotionFrame) -> float:
    return float(motion.value[0, 0])


def test_prediction_goes_on_damped_and_comes_to_rest() -> None:
    past = [at(0, 0.0), at(1, 0.1)]
    track = [x(predict(past, (1 + n) * FRAME, FRAME)) for n in range(1, 12)]
    assert track[0] == pytest.approx(0.15)
    assert all(b >= a for a, b in pairwise(track))
    assert track[-1] == track[5]
    assert track[-1] < 0.2  # never more than one frame's movement


@pytest.mark.parametrize(
    "past",
    [
        [at(1, 0.1)],
        [at(0, 0.0, "other keyframe"), at(1, 0.1)],
        [at(-9, 0.0), at(1, 0.1)],
        [at(1, 0.0), at(1, 0.1)],
    ],
)
def test_prediction_holds_without_a_usable_velocity(past: list[MotionSample[str]]) -> None:
    assert predict(past, 2 * FRAME, FRAME) == past[-1].motion


@given(st.floats(-LIMIT, LIMIT, width=16), st.floats(-LIMIT, LIMIT, width=16), st.integers(1, 99))
def test_prediction_of_extremes_is_a_motion_frame(a: float, b: float, ahead: int) -> None:
    motion = predict([at(0, a), at(1, b)], (1 + ahead) * FRAME, FRAME)
    assert np.isfinite(motion.to_array()).all()


def test_between_is_linear_and_exact_at_its_ends() -> None:
    start, end = at(0, 0.0), at(4, 0.4)
    for index in range(5):
        assert x(between(start, end, index * FRAME)) == pytest.approx(0.1 * index)


def test_between_holds_over_long_gaps_and_other_keyframes() -> None:
    start = at(0, 0.0)
    assert between(start, at(100, 1.0), 50 * FRAME) == start.motion
    assert between(start, at(4, 1.0, "other"), 2 * FRAME) == start.motion


def test_eyes_move_as_the_rest_does() -> None:
    start, end = at(0, 0.0, gaze=(0.4, 0.0)), at(4, 0.4, gaze=(-0.4, 0.2))
    for index in range(5):
        expected = 0.4 - 0.2 * index, 0.05 * index
        assert between(start, end, index * FRAME).gaze == pytest.approx(expected, abs=1e-6)
    past = [at(0, 0.0, gaze=(0.0, 0.0)), at(1, 0.0, gaze=(0.2, -0.4))]
    assert predict(past, 2 * FRAME, FRAME).gaze == pytest.approx((0.3, -0.6), abs=1e-6)


def test_eyes_stay_within_their_corners() -> None:
    past = [at(0, 0.0, gaze=(0.0, 0.0)), at(1, 0.0, gaze=(0.9, -1.0))]
    assert predict(past, 2 * FRAME, FRAME).gaze.tolist() == [1.0, -1.0]
