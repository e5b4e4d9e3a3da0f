from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facewire.codec.errors import MotionError
from facewire.codec.motion.frame import MotionFrame, pack_gaze, unpack_gaze

from ..makers import make_motion


def test_array_round_trip_and_equality() -> None:
    motion = make_motion(1)
    assert MotionFrame.from_array(motion.to_array()) == motion
    assert motion != make_motion(2)
    assert motion != "motion"


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        make_motion().value[0, 0] = 1


def test_the_caller_keeps_the_right_to_change_its_arrays() -> None:
    value, jacobian = np.zeros((10, 2), np.float32), np.zeros((10, 2, 2), np.float32)
    motion = MotionFrame(value, jacobian)
    value[0, 0] = 5
    assert motion.value[0, 0] == 0


@pytest.mark.parametrize("shape", [(9, 6), (10, 5), (60,), (10, 6, 1)])
def test_wrong_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(MotionError):
        MotionFrame.from_array(np.zeros(shape))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 65.0])
def test_bad_numbers(bad: float) -> None:
    array = np.zeros((10, 6))
    array[3, 4] = bad
    with pytest.raises(MotionError):
        MotionFrame.from_array(array)


def test_a_gaze_is_two_numbers_more() -> None:
    motion = replace(make_motion(1), gaze=np.array([0.25, -0.5], np.float32))
    assert motion.numbers.shape == (62,)
    assert motion.numbers[-2:].tolist() == [0.25, -0.5]
    assert np.array_equal(motion.numbers[:60], motion.to_array().reshape(-1))
    assert MotionFrame.from_numbers(motion.numbers) == motion
    assert motion != make_motion(1)
    assert make_motion(1).gaze.tolist() == [0, 0]
    assert not MotionFrame.from_fp16(motion.to_fp16()).gaze.any()


def test_a_gaze_beyond_the_corners_is_held_there() -> None:
    numbers = make_motion().numbers
    numbers[-2:] = 1.5, -3
    assert MotionFrame.from_numbers(numbers).gaze.tolist() == [1, -1]


@pytest.mark.parametrize("gaze", [[np.nan, 0], [0, np.inf], [1.01, 0], [0], [0, 0, 0]])
def test_bad_gazes(gaze: list[float]) -> None:
    with pytest.raises(MotionError, match="gaze"):
        replace(make_motion(), gaze=np.array(gaze, np.float32))


def test_a_keyframe_carries_a_gaze_in_two_bytes() -> None:
    gaze = np.array([0.3, -0.77], np.float32)
    data = pack_gaze(gaze)
    assert len(data) == 2
    assert np.abs(unpack_gaze(data) - gaze).max() <= 0.5 / 127 + 1e-6
    assert pack_gaze(unpack_gaze(data)) == data
    assert unpack_gaze(pack_gaze(np.array([1, -1], np.float32))).tolist() == [1, -1]
    for first in range(-127, 128):
        data = np.array([first, -first], np.int8).tobytes()
        assert pack_gaze(replace(make_motion(), gaze=unpack_gaze(data)).gaze) == data
