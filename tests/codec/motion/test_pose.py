from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import (
    ConfigError,
    MotionError,
    StreamError,
    TruncatedError,
    UnsupportedError,
)
from facewire.codec.motion.entropy import MissingReferenceError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.pose import HeadPlace, PoseFrame
from facewire.codec.motion.profiles import (
    MotionSettings,
    motion_reader,
    motion_ticks,
    motion_writer,
)
from facewire.codec.motion.tables import load_pose_tables, step_size
from facewire.codec.stream import StreamHeader

KEY = MotionFrame(np.zeros((10, 2), np.float32), np.zeros((10, 2, 2), np.float32))


def pose(index: int) -> PoseFrame:
    """A head that nods, turns and blinks slowly."""
    wave = math.sin(0.1 * index)
    place = HeadPlace(0.1 * wave, -0.05 * wave, 0.8 + 0.02 * wave)
    return PoseFrame(0.3 * wave, -0.1 * wave, 0.05 * wave, 0.3, 0.3 + 0.05 * wave, place)


def test_the_plain_form_is_80_bits_in_the_documented_order() -> None:
    payload = PoseFrame(0.5, -0.25, 0.125, 0.25, 0.75, HeadPlace(0, 0, 1)).to_fp16()
    assert 8 * len(payload) == 80
    assert np.frombuffer(payload, "<f2").tolist() == [0.5, -0.25, 0.125, 0.25, 0.75]
    assert PoseFrame.from_fp16(payload) == PoseFrame(0.5, -0.25, 0.125, 0.25, 0.75)
    assert motion_writer("pose-fp16").encode([pose(3)], 0, 0, KEY) == pose(3).to_fp16()
    assert motion_ticks("pose-fp16", payload) == [0]


@pytest.mark.parametrize("length", [0, 1, 9, 11, 120])
def test_any_other_length_of_the_plain_form(length: int) -> None:
    with pytest.raises(TruncatedError, match=str(length)):
        motion_reader("pose-fp16").decode(bytes(length), 0, 0, KEY)


@pytest.mark.parametrize("half", ["nan", "inf", "-inf", "65504"])
@pytest.mark.parametrize("at", range(5))
def test_numbers_out_of_range_in_the_plain_form(half: str, at: int) -> None:
    numbers = np.zeros(5, "<f2")
    numbers[at] = float(half)
    with pytest.raises(MotionError):
        PoseFrame.from_fp16(numbers.tobytes())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("yaw", 3.3),
        ("pitch", math.nan),
        ("roll", -math.inf),
        ("right", -0.01),
        ("left", 4.1),
        ("place", HeadPlace(65, 0, 1)),
        ("place", HeadPlace(0, math.nan, 1)),
        ("place", HeadPlace(0, 0, 0)),
        ("place", HeadPlace(0, 0, 65)),
    ],
)
def test_poses_out_of_range(name: str, value: object) -> None:
    whole: dict[str, object] = {"yaw": 0, "pitch": 0, "roll": 0, "right": 0, "left": 0}
    with pytest.raises(MotionError):
        PoseFrame(**{**whole, name: value})  # type: ignore[arg-type]


def test_a_coded_pose_is_as_near_as_its_steps() -> None:
    writer, reader = motion_writer("pose", MotionSettings(3, 0.5)), motion_reader("pose")
    frames = [pose(n) for n in range(40)]
    payloads = [
        writer.encode(frames[:1], 0, 5, KEY),
        *(
            writer.encode(frames[at : at + 13], at, 5, KEY, reference=at - 1)
            for at in range(1, 40, 13)
        ),
    ]
    found = [
        frame
        for payload, pts in zip(payloads, (0, 1, 14, 27), strict=True)
        for _, frame in reader.decode(payload, pts, 5, KEY)
    ]
    most = 0.51 * step_size(3) * np.diag(load_pose_tables().back)
    for sent, got in zip(frames, found, strict=True):
        assert isinstance(got, PoseFrame)
        assert (np.abs(sent.to_array() - got.to_array()) <= most + 1e-6).all()
    assert motion_ticks("pose", payloads[1]) == list(range(13))
    assert 8 * sum(map(len, payloads[1:])) / 39 < 20
    with pytest.raises(MissingReferenceError):
        motion_reader("pose").decode(payloads[2], 14, 5, KEY)


def test_eyes_that_rounding_shuts_further_than_shut_are_shut() -> None:
    shut = PoseFrame.from_array(np.array([0, 0, 0, -0.01, 0.2, 0, 0, 0.0]))
    assert (shut.right, shut.left) == (0, 0.2)
    with pytest.raises(MotionError):
        PoseFrame.from_array(np.array([0, 0, 0, 0.1, 0.2, 0, 0, 4000.0]))


def test_profile_pose_wants_a_place_and_the_plain_form_one_frame() -> None:
    with pytest.raises(ConfigError, match="place"):
        motion_writer("pose").encode([PoseFrame(0, 0, 0, 0, 0)], 0, 0, KEY)
    with pytest.raises(ConfigError, match="one frame"):
        motion_writer("pose-fp16").encode([pose(0), pose(1)], 0, 0, KEY)


@given(st.binary(max_size=60))
def test_any_bytes_are_poses_or_a_typed_error(payload: bytes) -> None:
    for profile in ("pose", "pose-fp16"):
        try:
            frames = motion_reader(profile).decode(payload, 0, 0, KEY)
        except (StreamError, MotionError):
            continue
        for _, frame in frames:
            assert isinstance(frame, PoseFrame)
            assert np.isfinite(frame.to_fp16()[0])


def test_the_header_names_the_tables_of_poses() -> None:
    header = StreamHeader("avfr-s", bytes(32), profile="pose")
    assert header.tables == 1
    assert StreamHeader.from_payload(header.to_payload()) == header
    plain = StreamHeader("avfr-s", bytes(32), profile="pose-fp16")
    assert b"tables" not in plain.to_payload()
    assert StreamHeader.from_payload(plain.to_payload()) == plain
    for version in (0, 2, -1):
        with pytest.raises(UnsupportedError, match="version"):
            motion_reader("pose", version)
