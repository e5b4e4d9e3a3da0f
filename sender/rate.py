"""Rate control: motion and sound are given, the keyframe takes what remains.

Profile `fp16` costs what it costs; for `entropy` more is set aside than most faces need.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from ..codec.container import HEAD_BYTES, record_overhead
from ..codec.errors import ConfigError
from ..codec.keyframe import FRAGMENT_BYTES
from ..codec.motion import FP16_BYTES
from ..codec.packet import HEADER_BYTES, MAX_DATAGRAM
from ..codec.profiles import Profile
from ..codec.stream import StreamHeader
from .config import EncoderConfig

__all__ = ["KeyframeBudget", "plan_keyframes"]

LIVE_SPAN = Fraction(10)
"""Seconds over which a call's first keyframe is spread where no interval is set."""
MIN_PICTURE = 700
"""Bytes below which a face of 256x256 is not recognised any more."""
_MAX_PICTURE = 60_000
_FRAGMENT = MAX_DATAGRAM - FRAGMENT_BYTES + record_overhead(MAX_DATAGRAM)
_BODY = 12 + FP16_BYTES  # of a keyframe, before shape and picture (codec/keyframe.py)
_SHAPE = 320  # usual size of the landmarks
_ENTROPY_BITS, _ENTROPY_HEAD = 64, 4  # of a frame (mean of `val`: 50), and bytes of a payload
_TRAILER, _ENTRY = 21, 16  # of the container, and per keyframe in its index


@dataclass(frozen=True, slots=True)
class KeyframeBudget:
    """What a keyframe may cost.

    Attributes:
        whole: bytes of a keyframe with its STREAM packet and all headers, or None: no rate set.
        picture: bytes of its picture where no rate is set.
    """

    whole: int | None
    picture: int

    def picture_bytes(self, header_bytes: int, shape_bytes: int) -> int:
        """Bytes left for the picture, given the sizes of the STREAM payload and the shape."""
        if self.whole is None:
            return self.picture
        left = self.whole - _framed(header_bytes)
        fragments = max(1, math.ceil(left / (FRAGMENT_BYTES + _FRAGMENT)))
        return min(left - fragments * _FRAGMENT - _BODY - shape_bytes, _MAX_PICTURE)


def plan_keyframes(
    config: EncoderConfig, header: StreamHeader, duration_s: Fraction | None
) -> KeyframeBudget:
    """Spread the rate over the keyframes.

    Args:
        config: with or without a rate.
        header: of the stream to be made.
        duration_s: of the whole video; None in a call, where the rate holds over each keyframe
            interval (without one: over the first ten seconds).

    Raises:
        ConfigError: the rate is below what motion, sound and the smallest keyframe take.
    """
    if config.bpp is None and config.kbps is None:
        return KeyframeBudget(None, config.keyframe_bytes)
    interval = config.keyframe_interval
    seconds = Fraction(interval) if isinstance(interval, int | float) else None
    span = duration_s if duration_s is not None else seconds or LIVE_SPAN
    count = max(1, math.ceil(span / seconds)) if seconds else 1
    frames = max(1, round(span * header.fps))
    pixels = frames * header.width * header.height
    if config.bpp is not None:
        allowed = config.bpp * pixels / 8
    else:
        allowed = (config.kbps or 0) * 125 * float(span)
    together = config.frames_together(header.fps, live=duration_s is None)
    fixed = HEAD_BYTES + _TRAILER + count * _ENTRY + _motion_bytes(config, frames, together)
    fixed += _sound_bytes(header, span)
    smallest = _framed(len(header.to_payload())) + _FRAGMENT + _BODY + _SHAPE + MIN_PICTURE
    floor = fixed + count * smallest
    if allowed < floor:
        raise ConfigError(_below(config, floor, pixels, span))
    return KeyframeBudget(int((allowed - fixed) / count), config.keyframe_bytes)


def _framed(payload: int) -> int:
    """Bytes of a packet in a file, given those of its payload."""
    return payload + HEADER_BYTES + record_overhead(payload + HEADER_BYTES)


def _motion_bytes(config: EncoderConfig, frames: int, together: int) -> int:
    if config.profile == Profile.FP16:
        return frames * _framed(FP16_BYTES)
    payload = _ENTROPY_HEAD + math.ceil(together * _ENTROPY_BITS / 8)
    return math.ceil(frames / together) * _framed(payload)


def _sound_bytes(header: StreamHeader, span: Fraction) -> int:
    if header.audio is None:
        return 0
    packets = math.ceil(span / header.audio.time_base)
    payload = math.ceil(header.audio.bitrate * header.audio.frame_ms / 8000)
    return packets * _framed(payload)


def _below(config: EncoderConfig, floor: int, pixels: int, span: Fraction) -> str:
    bpp, kbps = floor * 8 / pixels, floor / 125 / float(span)
    if config.bpp is not None:
        asked, least = f"{config.bpp:g} bpp", f"{_up(bpp, 5)} bpp ({kbps:.1f} kbps)"
    else:
        asked, least = f"{config.kbps:g} kbps", f"{_up(kbps, 1)} kbps ({bpp:.4f} bpp)"
    return (
        f"{asked} is too little: profile {config.profile} with this sound takes at least {least}. "
        "Ask for more, lower --audio-kbps, or take keyframes less often"
    )


def _up(number: float, digits: int) -> str:
    """Rounded up, so that the number shown is enough."""
    scale = 10**digits
    return f"{math.ceil(number * scale) / scale:.{digits}f}"
