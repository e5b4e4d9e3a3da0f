"""`Profile`: how the motion of a frame becomes bytes. A profile is one entry of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from .errors import UnsupportedError
from .motion import MotionFrame

__all__ = ["Profile", "find_profile", "pack_motion", "parse_motion"]


class Profile(StrEnum):
    """Name of a profile, as in the stream's header."""

    FP16 = "fp16"
    """Ten times (x, y, four jacobian values) in binary16: 960 bits exactly, stateless."""


@dataclass(frozen=True, slots=True)
class _Coding:
    pack: Callable[[MotionFrame], bytes]
    parse: Callable[[bytes], MotionFrame]


_CODINGS = {Profile.FP16: _Coding(MotionFrame.to_fp16, MotionFrame.from_fp16)}


def find_profile(name: str) -> Profile:
    """The profile of that name. Raises `UnsupportedError` where this build has none."""
    try:
        return Profile(name)
    except ValueError:
        known = ", ".join(sorted(Profile))
        raise UnsupportedError(
            f"motion profile {name!r} is not known here; this build has {known}"
        ) from None


def pack_motion(profile: str, motion: MotionFrame) -> bytes:
    """Payload of a MOTION packet. Raises `UnsupportedError` for an unknown profile."""
    return _CODINGS[find_profile(profile)].pack(motion)


def parse_motion(profile: str, payload: bytes) -> MotionFrame:
    """Inverse of `pack_motion`.

    Raises:
        UnsupportedError: an unknown profile.
        TruncatedError: a payload of the wrong length.
        MotionError: numbers that are not finite or absurd.
    """
    return _CODINGS[find_profile(profile)].parse(payload)
