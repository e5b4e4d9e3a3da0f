from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.errors import MotionError
from facewire.codec.motion.frame import MotionFrame

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
