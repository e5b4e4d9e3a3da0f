"""`RateControl`: what a stream has cost so far, and what it may.

Sound and motion cost what they cost; references take what remains. Where a rate is set, the total
of a file keeps to it (head, index, headers and checksums counted); in a call the packets are, with
their headers and without what the network adds, and the first keyframe's bytes are earned back over
`LIVE_SPAN` at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from ..codec.errors import RateError
from ..codec.file.container import HEAD_BYTES, record_overhead
from ..codec.keyframe import FRAGMENT_BYTES
from ..codec.motion.frame import FP16_BYTES
from ..codec.motion.profiles import MotionSettings, Profile
from ..codec.packet import HEADER_BYTES, MAX_DATAGRAM, Packet
from ..codec.stream import StreamHeader
from .config import EncoderConfig

__all__ = ["LIVE_SPAN", "MAX_PICTURE", "MIN_PICTURE", "RateControl"]

LIVE_SPAN = Fraction(10)
"""Seconds over which a call's first keyframe is spread where no interval is set."""
MIN_PICTURE = 700
"""Bytes below which a face of 256x256 is not recognised any more."""
MAX_PICTURE = 60_000
_BODY = 12 + FP16_BYTES  # of a keyframe, before shape and picture (codec/keyframe.py)
_SHAPE = 320  # usual size of the landmarks
_FINEST, _COARSEST = 3, 10  # quantiser steps
_MOTION_BITS, _HALF = 58.0, 6  # of a frame at the finest (mean of `val`); so many steps halve them
_MOTION_SHARE = 0.18  # of what sound leaves
_ENTROPY_HEAD = 4  # bytes of a payload
_TRAILER, _ENTRY = 21, 16  # of the container, and per keyframe in its index


class RateControl:
    """Counts the bytes of a stream.

    Args:
        config: with or without a rate.
        header: of the stream.
        duration_s: of the whole video in a file; None in a call.

    Attributes:
        motion: how motion is quantised.
        per_second: bytes that may be sent in a second, None where no rate is set.
        spent: bytes so far.

    Raises:
        RateError: the rate is below what motion, sound and the smallest keyframe take.
    """

    def __init__(
        self, config: EncoderConfig, header: StreamHeader, duration_s: Fraction | None
    ) -> None:
        self._config, self._header = config, header
        rate = config.rate_kbps(header.fps)
        self.per_second: float | None = None if rate is None else rate * 125
        self._live = config.look_ahead(duration_s) == 0
        self._in_file = duration_s is not None
        self.motion = MotionSettings(self._step()) if config.motion == "auto" else config.motion
        if self.per_second is not None:
            self._check(duration_s)
        self.reset()

    def reset(self) -> None:
        """A new stream begins."""
        self.spent = self._around(1)

    def framed(self, payload: int) -> int:
        """Bytes of a packet as it is counted, given those of its payload."""
        size = payload + HEADER_BYTES
        return size + record_overhead(size) if self._in_file else size

    def count(self, packets: Iterable[Packet]) -> None:
        """These are sent."""
        self.spent += sum(self.framed(len(packet.payload)) for packet in packets)

    def count_entry(self) -> None:
        """The index has one more entry, for a keyframe from which one can join."""
        self.spent += _ENTRY if self._in_file else 0

    def left(self, until: Fraction) -> float:
        """Bytes that may still be sent until so many seconds after the beginning; infinite
        without a rate, negative where more was sent already.
        """
        if self.per_second is None:
            return math.inf
        return self.per_second * float(until) - self.spent

    def expected(self, span: Fraction) -> int:
        """Bytes of motion and sound that a time is expected to take."""
        frames = max(1, round(span * self._header.fps))
        return self.expected_motion(frames) + self._sound(span)

    def _least(self, span: Fraction) -> int:
        """The same with the coarsest motion."""
        frames = max(1, round(span * self._header.fps))
        chosen = self._config.motion
        step = _COARSEST if chosen == "auto" else chosen.step
        return self._motion_bytes(frames, step) + self._sound(span)

    def overhead(self, shape: int) -> int:
        """Bytes of a small keyframe beside its picture, given those of its shape."""
        return _BODY + shape + self._fragment()

    def join_bytes(self) -> int:
        """What a keyframe to join at takes beyond another one: landmarks, a STREAM packet."""
        stream = self.framed(len(self._header.to_payload()))
        return stream + self.overhead(_SHAPE) - self.overhead(1)

    def picture_bytes(self, room: float, shape: int) -> int:
        """Bytes that a keyframe's picture may have where the keyframe may have `room` in all."""
        each = self._fragment()
        fragments = max(1, math.ceil(room / (FRAGMENT_BYTES + each)))
        return max(0, min(int(room) - fragments * each - _BODY - shape, MAX_PICTURE))

    def _around(self, entries: int) -> int:
        """Bytes of a file around its packets, with so many entries of its index."""
        return HEAD_BYTES + _TRAILER + entries * _ENTRY if self._in_file else 0

    def _fragment(self) -> int:
        """Bytes of a keyframe's packet beside its part of the keyframe."""
        return self.framed(MAX_DATAGRAM - HEADER_BYTES) - FRAGMENT_BYTES

    def _check(self, duration_s: Fraction | None) -> None:
        interval = self._config.keyframe_interval
        seconds = Fraction(interval) if isinstance(interval, int | float) else None
        span = duration_s if duration_s is not None else seconds or LIVE_SPAN
        count = max(1, math.ceil(span / seconds)) if seconds else 1
        floor = self._around(count) + self._least(span)
        stream = self.framed(len(self._header.to_payload()))
        floor += count * (stream + self.overhead(_SHAPE) + MIN_PICTURE)
        if (self.per_second or 0) * span < floor:
            raise self._below(floor, span)

    def expected_motion(self, frames: int) -> int:
        """Bytes that the motion of so many frames is expected to take."""
        return self._motion_bytes(frames, self.motion.step)

    def _motion_bytes(self, frames: int, step: int) -> int:
        if self._config.profile == Profile.FP16:
            return frames * self.framed(FP16_BYTES)
        together = self._config.frames_together(self._header.fps, live=self._live)
        payload = _ENTROPY_HEAD + math.ceil(together * _motion_bits(step) / 8)
        return math.ceil(frames / together) * self.framed(payload)

    def _step(self) -> int:
        """The finest quantiser step whose motion takes no more than its share."""
        if self.per_second is None:
            return _FINEST
        left = self.per_second - self._sound(LIVE_SPAN) / float(LIVE_SPAN)
        share = _MOTION_SHARE * 8 * left / float(self._header.fps)
        steps = range(_FINEST, _COARSEST)
        return next((step for step in steps if _motion_bits(step) <= share), _COARSEST)

    def _sound(self, span: Fraction) -> int:
        audio = self._header.audio
        if audio is None:
            return 0
        packets = math.ceil(span / audio.time_base)
        return packets * self.framed(math.ceil(audio.bitrate * audio.frame_ms / 8000))

    def _below(self, floor: int, span: Fraction) -> RateError:
        config, header = self._config, self._header
        pixels = max(1, round(span * header.fps)) * header.width * header.height
        bpp, kbps = floor * 8 / pixels, floor / 125 / float(span)
        if config.bpp is not None:
            asked, least = f"{config.bpp:g} bpp", f"{_up(bpp, 5)} bpp ({kbps:.1f} kbps)"
        else:
            asked, least = f"{config.kbps:g} kbps", f"{_up(kbps, 1)} kbps ({bpp:.4f} bpp)"
        return RateError(
            f"{asked} is too little: profile {config.profile} with this sound takes at least "
            f"{least}. Ask for more, lower --audio-kbps, or take keyframes less often",
            kbps,
        )


def _motion_bits(step: int) -> float:
    """What a frame takes, without headers."""
    return float(_MOTION_BITS * 2 ** ((_FINEST - step) / _HALF))


def _up(number: float, digits: int) -> str:
    """Rounded up, so that the number shown is enough."""
    scale = 10**digits
    return f"{math.ceil(number * scale) / scale:.{digits}f}"
