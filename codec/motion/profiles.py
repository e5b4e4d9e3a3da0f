"""`Profile`: how the motion of frames becomes payloads. Each profile is an entry of `_CODINGS`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from ..errors import ConfigError, UnsupportedError
from .entropy import MotionDecoder, MotionEncoder, TimedMotion, ticks_in
from .frame import MotionFrame
from .pose import PoseDecoder, PoseEncoder, PoseFrame
from .tables import (
    GAZE_TABLES_VERSION,
    POSE_TABLES_VERSION,
    TABLES_VERSION,
    load_pose_tables,
    load_tables,
)

__all__ = [
    "POSES",
    "STATELESS",
    "Motion",
    "MotionSettings",
    "Profile",
    "find_profile",
    "has_gaze",
    "motion_reader",
    "motion_ticks",
    "motion_writer",
    "tables_version",
]

Motion: TypeAlias = MotionFrame | PoseFrame
"""What a stream sends of a frame: its motion, or in the profiles of `POSES` the head's pose."""


class Profile(StrEnum):
    """Name of a profile, as it stands in the stream's header."""

    FP16 = "fp16"
    """Ten times (x, y, four jacobian values) in binary16: exactly 960 bits, without any state."""
    ENTROPY = "entropy"
    """Quantised, predicted and range-coded: 26 to 58 bits, about 50 by default (`entropy.py`).

    Only in this profile it can be sent where the eyes look, for two to three bits more.
    """
    POSE = "pose"
    """How the head is turned and placed, and how open its eyes are: about 12 bits (`pose.py`)."""
    POSE_FP16 = "pose-fp16"
    """The plain form of `pose`: five numbers in binary16, exactly 80 bits, without any state."""


STATELESS = (Profile.FP16, Profile.POSE_FP16)
"""Profiles whose packets have one frame each, and are decoded without any other."""
POSES = (Profile.POSE, Profile.POSE_FP16)
"""Profiles that send no mouth: the receiver moves it with the sound."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What a sender may choose in profiles `entropy` and `pose`. The others leave no choice.

    Attributes:
        step: index of the quantiser step, 0 (fine) to 15; four indices double the step.
        dead_zone: smallest change that is sent, in steps, 0.5 to 1.
    """

    step: int = 3
    dead_zone: float = 0.6


class MotionWriter(Protocol):
    """Turns the frames of a stream, which are `Motion` of its profile, into payloads; see
    `FrameEncoder.encode`.
    """

    def encode(
        self,
        frames: Sequence[Any],
        pts: int,
        keyframe: int,
        key: MotionFrame,
        *,
        stride: int = 1,
        reference: int | None = None,
    ) -> bytes:
        """The payload of a MOTION packet."""


class MotionReader(Protocol):
    """Turns the payloads of a stream into frames; see `FrameDecoder.decode`."""

    def decode(
        self, payload: bytes, pts: int, keyframe: int, key: MotionFrame
    ) -> Sequence[tuple[int, Motion]]:
        """The frames of a MOTION packet."""


class _Fp16:
    """Payloads of one frame, each of which is decoded without any other."""

    def encode(self, frames: Sequence[MotionFrame], *_: object, **__: object) -> bytes:
        if len(frames) != 1:
            raise ConfigError("profile fp16 has one frame a packet")
        return frames[0].to_fp16()

    def decode(self, payload: bytes, *_: object) -> list[TimedMotion]:
        return [(0, MotionFrame.from_fp16(payload))]


class _PoseFp16:
    """The same for poses."""

    def encode(self, frames: Sequence[PoseFrame], *_: object, **__: object) -> bytes:
        if len(frames) != 1:
            raise ConfigError("profile pose-fp16 has one frame a packet")
        return frames[0].to_fp16()

    def decode(self, payload: bytes, *_: object) -> list[tuple[int, PoseFrame]]:
        return [(0, PoseFrame.from_fp16(payload))]


@dataclass(frozen=True, slots=True)
class _Coding:
    writer: Callable[[MotionSettings, int], MotionWriter]
    reader: Callable[[int], MotionReader]
    ticks: Callable[[bytes], list[int]]
    tables: int | None = None  # version that this build writes
    gaze_tables: int | None = None  # the same where it is sent where the eyes look


_CODINGS = {
    Profile.FP16: _Coding(lambda *_: _Fp16(), lambda _: _Fp16(), lambda _: [0]),
    Profile.ENTROPY: _Coding(
        lambda settings, tables: MotionEncoder(
            settings.step, settings.dead_zone, load_tables(tables)
        ),
        lambda tables: MotionDecoder(load_tables(tables)),
        ticks_in,
        TABLES_VERSION,
        GAZE_TABLES_VERSION,
    ),
    Profile.POSE: _Coding(
        lambda settings, tables: PoseEncoder(
            settings.step, settings.dead_zone, load_pose_tables(tables)
        ),
        lambda tables: PoseDecoder(load_pose_tables(tables)),
        ticks_in,
        POSE_TABLES_VERSION,
    ),
    Profile.POSE_FP16: _Coding(lambda *_: _PoseFp16(), lambda _: _PoseFp16(), lambda _: [0]),
}


def find_profile(name: str) -> Profile:
    """The profile of that name. Raises `UnsupportedError` if this build has none."""
    try:
        return Profile(name)
    except ValueError:
        known = ", ".join(sorted(Profile))
        raise UnsupportedError(
            f"motion profile {name!r} is not known here; this build has {known}"
        ) from None


def motion_writer(
    profile: str, settings: MotionSettings | None = None, tables: int | None = None
) -> MotionWriter:
    """The encoder of a stream's motion.

    Args:
        profile: of the stream.
        settings: by default those of `MotionSettings`.
        tables: version of the tables that the stream names; None for those that this build writes.

    Raises:
        UnsupportedError: the profile is unknown, or this build lacks that version of the tables.
        ConfigError: a setting is out of range.
    """
    coding = _CODINGS[find_profile(profile)]
    return coding.writer(settings or MotionSettings(), _tables(coding, tables))


def tables_version(profile: str, *, gaze: bool = False) -> int | None:
    """Version of a profile's tables that this build writes; None for a profile without any.

    Args:
        profile: of a stream.
        gaze: whether it is to be sent where the eyes look, if the profile can say that.

    Raises:
        UnsupportedError: the profile is unknown.
    """
    coding = _CODINGS[find_profile(profile)]
    return coding.gaze_tables or coding.tables if gaze else coding.tables


def has_gaze(profile: str, tables: int | None) -> bool:
    """Whether it is sent where the eyes look, in a stream of this profile with these tables.

    Raises:
        UnsupportedError: the profile is unknown.
    """
    return tables is not None and tables == _CODINGS[find_profile(profile)].gaze_tables


def motion_reader(profile: str, tables: int | None = None) -> MotionReader:
    """The decoder of a stream's motion.

    Args:
        profile: of the stream.
        tables: version of the tables that the stream names; None for those that this build writes.

    Raises:
        UnsupportedError: the profile is unknown, or this build lacks that version of the tables.
    """
    coding = _CODINGS[find_profile(profile)]
    return coding.reader(_tables(coding, tables))


def _tables(coding: _Coding, named: int | None) -> int:
    """Version of the tables that a stream names, or of those that this build writes."""
    return named if named is not None else coding.tables or 0


def motion_ticks(profile: str, payload: bytes) -> list[int]:
    """Times of the frames in a MOTION payload, in ticks after the first one.

    Raises:
        UnsupportedError: the profile is unknown.
        StreamError: the payload's head has values out of range.
    """
    return _CODINGS[find_profile(profile)].ticks(payload)
