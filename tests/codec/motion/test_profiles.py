from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from facewire.codec.errors import MotionError, TruncatedError, UnsupportedError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.profiles import motion_reader, motion_writer

numbers = hnp.arrays(np.float32, (10, 6), elements=st.floats(-64, 64, width=32))


@given(numbers)
def test_fp16_is_960_bits_and_exact_to_half_precision(array: np.ndarray) -> None:
    payload = MotionFrame.from_array(array).to_fp16()
    assert 8 * len(payload) == 960
    parsed = MotionFrame.from_fp16(payload)
    assert np.array_equal(parsed.to_array(), array.astype(np.float16).astype(np.float32))
    assert parsed.to_fp16() == payload or (array == 0).any()  # -0.0


def test_order_of_the_numbers() -> None:
    value = np.zeros((10, 2), np.float32)
    jacobian = np.zeros((10, 2, 2), np.float32)
    value[0], jacobian[0] = (1, 2), [[3, 4], [5, 6]]
    payload = MotionFrame(value, jacobian).to_fp16()
    assert np.frombuffer(payload, "<f2")[:7].tolist() == [1, 2, 3, 4, 5, 6, 0]


@pytest.mark.parametrize("length", [*range(120), 121, 240, 4000])
def test_any_other_length(length: int) -> None:
    with pytest.raises(TruncatedError, match=str(length)):
        MotionFrame.from_fp16(bytes(length))


@pytest.mark.parametrize("half", ["nan", "inf", "-inf", "65504", "-64.5"])
@pytest.mark.parametrize("at", [0, 1, 2, 59])
def test_numbers_that_are_not_finite(half: str, at: int) -> None:
    array = np.zeros(60, "<f2")
    array[at] = float(half)
    with pytest.raises(MotionError):
        MotionFrame.from_fp16(array.tobytes())


@given(st.binary(min_size=120, max_size=120))
def test_any_120_bytes_are_motion_or_a_motion_error(payload: bytes) -> None:
    try:
        motion = MotionFrame.from_fp16(payload)
    except MotionError:
        return
    assert np.isfinite(motion.to_array()).all()


def test_an_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(UnsupportedError, match="fp16"):
        motion_reader("morse")
    with pytest.raises(UnsupportedError, match="fp16"):
        motion_writer("morse")
