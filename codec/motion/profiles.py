"""`Profile`: how the motion of frames becomes payloads. A profile is one entry of the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ..errors import ConfigError, UnsupportedError
from .entropy import MotionDecoder, MotionEncoder, TimedMotion, ticks_in
from .frame import MotionFrame
from .tables import TABLES_VERSION, load_tables

__all__ = [
    "MotionSettings",
    "Profile",
    "find_profile",
    "motion_reader",
    "motion_ticks",
    "motion_writer",
]


class Profile(StrEnum):
    """Name of a profile, as in the stream's header."""

    FP16 = "fp16"
    """Ten times (x, y, four jacobian values) in binary16: 960 bits exactly, stateless."""
    ENTROPY = "entropy"
    """Quantised, predicted and range-coded: 20 to 50 bits (`motion_code`)."""


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What a sender may choose about profile `entropy`; `fp16` has no choice.

    Attributes:
        step: quantiser step, 0 (fine) to 15, four to the octave.
        dead_zone: share of a step, 0.5 to 1, that is not followed.
    """

    step: int = 3
    dead_zone: float = 0.6


class MotionWriter(Protocol):
    """Frames of one stream to payloads; see `MotionEncoder.encode`."""

    def encode(
        self,
        frames: Sequence[MotionFrame],
        pts: int,
        keyframe: int,
        key: MotionFrame,
        *,
        stride: int = 1,
        reference: int | None = None,
    ) -> bytes:
        """The payload of a MOTION packet."""


class MotionReader(Protocol):
    """Payloads of one stream to frames; see `MotionDecoder.decode`."""

    def decode(
        self, payload: bytes, pts: int, keyframe: int, key: MotionFrame
    ) -> list[TimedMotion]:
        """The frames of a MOTION packet."""


class _Fp16:
    """One frame a payload, and each stands for itself."""

    def encode(self, frames: Sequence[MotionFrame], *_: object, **__: object) -> bytes:
        if len(frames) != 1:
            raise ConfigError("profile fp16 has one frame a packet")
        return frames[0].to_fp16()

    def decode(self, payload: bytes, *_: object) -> list[TimedMotion]:
        return [(0, MotionFrame.from_fp16(payload))]


@dataclass(frozen=True, slots=True)
class _Coding:
    writer: Callable[[MotionSettings], MotionWriter]
    reader: Callable[[int], MotionReader]
    ticks: Callable[[bytes], list[int]]


_CODINGS = {
    Profile.FP16: _Coding(lambda _: _Fp16(), lambda _: _Fp16(), lambda _: [0]),
    Profile.ENTROPY: _Coding(
        lambda settings: MotionEncoder(settings.step, settings.dead_zone),
        lambda tables: MotionDecoder(load_tables(tables)),
        ticks_in,
    ),
}


def find_profile(name: str) -> Profile:
    """The profile of that name. Raises `UnsupportedError` where this build has none."""
    try:
        return Profile(name)
    except ValueError:
        known = ", ".join(sorted(Profile))
        raise UnsupportedError(
            f"motion profile {name!r} is not known here; this build has {known}"
        ) from None


def motion_writer(profile: str, settings: MotionSettings | None = None) -> MotionWriter:
    """What codes a stream's motion.

    Raises:
        UnsupportedError: an unknown profile.
        ConfigError: settings out of range.
    """
    return _CODINGS[find_profile(profile)].writer(settings or MotionSettings())


def motion_reader(profile: str, tables: int = TABLES_VERSION) -> MotionReader:
    """What decodes a stream's motion.

    Raises:
        UnsupportedError: an unknown profile, or tables of a version that this build lacks.
    """
    return _CODINGS[find_profile(profile)].reader(tables)


def motion_ticks(profile: str, payload: bytes) -> list[int]:
    """Ticks of the frames in a MOTION payload, after the first one.

    Raises:
        UnsupportedError: an unknown profile.
        StreamError: a head that makes no sense.
    """
    return _CODINGS[find_profile(profile)].ticks(payload)
