"""`RateControl`: how many bytes a stream has taken, and how many it may take.

Sound and motion take what they need, and references get the rest. Where a rate is set, a file keeps
to it as a whole, including its head, index, packet headers and checksums. In a call the packets
count with their headers, but without what the network adds, and the bytes of the first keyframe are
earned back within `LIVE_SPAN`. What a call does not use is saved for half a second at most, and its
rate may change at any time.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from fractions import Fraction

from ...codec.errors import RateError
from ...codec.file.container import HEAD_BYTES, record_overhead
from ...codec.keyframe import FRAGMENT_BYTES
from ...codec.motion.entropy import MAX_FRAMES
from ...codec.motion.frame import FP16_BYTES
from ...codec.motion.pose import POSE_FP16_BYTES
from ...codec.motion.profiles import POSES, STATELESS, MotionSettings, Profile
from ...codec.packet import HEADER_BYTES, MAX_DATAGRAM, Packet
from ...codec.stream import StreamHeader
from ..config import MAX_PICTURE, EncoderConfig
from .ladder import sound_bitrate, together_ms

__all__ = ["LIVE_SPAN", "MIN_PICTURE", "MOST", "RateControl"]

_log = logging.getLogger(__name__)

LIVE_SPAN = Fraction(10)
"""Seconds over which a call earns back its first keyframe, if no keyframe interval is set."""
MIN_PICTURE = 700
"""With fewer bytes, a face of 256x256 can no longer be recognised."""
MOST = 12
"""References of one stretch that is planned as a whole, at most."""
_BODY = 12 + FP16_BYTES  # bytes of a keyframe before its shape and picture (codec/keyframe.py)
_SHAPE = 320  # usual bytes of the landmarks
_FINEST, _COARSEST = 3, 10  # quantiser steps
_MOTION_BITS = 58.0  # of a frame at the finest step, mean of `val`
_HALF = 6  # this many steps halve them
_WITH_GAZE = 1.044  # times as many, where it is sent where the eyes look
_POSE_BITS = 16.0  # of a frame in profile `pose`, at most (`MotionStream`)
_MOTION_SHARE = 0.18  # of what sound leaves
_ENTROPY_HEAD = 4  # bytes of a payload
_TRAILER = 21  # bytes at the end of a file
_ENTRY = 16  # bytes of a keyframe in its index
_SAVED_S = 0.5  # seconds of its rate that a call may save
_SURE = 0.92  # a call gets finer only if that much of its new rate suffices, so as not to waver


class RateControl:
    """Counts the bytes of a stream.

    Args:
        config: with or without a rate.
        header: of the stream.
        duration_s: of the whole video in a file; None in a call.

    Attributes:
        motion: how motion is quantised.
        clocked: whether the call has a clock.
        bundle: frames in a MOTION packet, at most.
        sound: bits a second and milliseconds in a packet of sound; None without sound.
        per_second: bytes a second that may be sent; None if no rate is set.
        spent: bytes sent so far.

    Raises:
        RateError: the rate is less than motion, sound and the smallest keyframe take.
    """

    def __init__(
        self, config: EncoderConfig, header: StreamHeader, duration_s: Fraction | None
    ) -> None:
        self._config, self._header = config, header
        rate = config.rate_kbps(header.fps)
        self.per_second: float | None = None if rate is None else rate * 125
        self._live = config.planned_together(duration_s) == 0
        self._in_file = duration_s is not None
        audio = header.audio
        self.sound = None if audio is None else (audio.bitrate, audio.frame_ms)
        self.clocked = False
        self._together = 120
        self._lengthen()
        self.motion = MotionSettings(self._step()) if config.motion == "auto" else config.motion
        if self.per_second is not None:
            self._check(duration_s)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream."""
        self.spent = self._around(1)
        self._waiting = 0
        self._allowed, self._allowed_at = 0.0, Fraction(0)
        self.clocked = False
        self._together = 120
        self._lengthen()

    @property
    def together_ms(self) -> int:
        """Milliseconds that packets of sound and motion last in a call with a clock."""
        return self._together

    def follow_clock(self) -> None:
        """The call has a clock: the rate decides how long packets last."""
        self.clocked = True
        self._lengthen()

    def set_rate(self, kbps: float, now: Fraction, waiting: int = 0) -> None:
        """Change the rate of a call, from `now` (seconds) on. Sound and motion become coarser at
        once; they become finer only where the new rate is clearly enough. So many bytes that were
        counted are still `waiting` to be sent.
        """
        self.left(now)
        self._waiting = waiting
        self.per_second = kbps * 125
        if self.sound is not None:
            now_bps = self.sound[0]
            wanted = sound_bitrate(kbps)
            if wanted > now_bps:
                wanted = max(now_bps, sound_bitrate(kbps * _SURE))
            self.sound = wanted, self.sound[1]
        self._lengthen()
        if self._config.motion == "auto":
            step = self._step()
            if step < self.motion.step:
                step = min(self.motion.step, self._step(_SURE))
            self.motion = MotionSettings(step)

    def _lengthen(self) -> None:
        """Let packets last as long as suits the rate."""
        config, audio = self._config, self._header.audio
        kbps = None if self.per_second is None else self.per_second / 125
        self._together = together_ms(kbps, self._together)
        self.bundle = config.frames_together(
            self._header.fps, live=self._live, bytes_per_second=self.per_second
        )
        if self.clocked and config.bundle == "auto" and config.profile not in STATELESS:
            # The clock ends a packet; where frames come too fast, their number does.
            frames = int(self._header.fps * self._together / 1000) + 2
            self.bundle = min(frames, MAX_FRAMES)
        if self.sound is not None and audio is not None:
            packet_ms = self._together if self.clocked else audio.frame_ms
            self.sound = self.sound[0], packet_ms

    def framed(self, payload: int) -> int:
        """Bytes that a packet with so many bytes of payload counts for."""
        size = payload + HEADER_BYTES
        return size + record_overhead(size) if self._in_file else size

    def count(self, packets: Iterable[Packet]) -> None:
        """Count packets that are sent."""
        self.spent += sum(self.framed(len(packet.payload)) for packet in packets)

    def count_entry(self) -> None:
        """Count one more entry of the index, for a keyframe at which one can join."""
        self.spent += _ENTRY if self._in_file else 0

    def left(self, until: Fraction) -> float:
        """Bytes that may still be sent up to `until`, in seconds from the stream's beginning. It is
        infinite without a rate, and negative if too much was sent already. In a call `until` is the
        present, and never more is left than half a second's bytes.
        """
        if self.per_second is None:
            return math.inf
        if not self._live:
            return self.per_second * float(until) - self.spent
        passed = max(until - self._allowed_at, Fraction(0))
        self._allowed_at += passed
        most = self.spent + _SAVED_S * self.per_second
        self._allowed = min(self._allowed + self.per_second * float(passed), most)
        return self._allowed - self.spent - self._waiting

    @property
    def picture_bpp(self) -> float | None:
        """Bits a pixel that sound leaves of the rate; None if no rate is set."""
        if self.per_second is None:
            return None
        left = self.per_second - self._sound(LIVE_SPAN) / float(LIVE_SPAN)
        header = self._header
        return 8 * left / float(header.fps) / (header.width * header.height)

    def free(self, span: Fraction = LIVE_SPAN) -> float:
        """Bytes a second that sound and motion are expected to leave of the rate; infinite without
        one. They are expected over `span` seconds.
        """
        if self.per_second is None:
            return math.inf
        spare = float(self.per_second * span) - self.expected(span)
        return max(spare, 0.0) / float(span)

    def expected(self, span: Fraction) -> int:
        """Bytes that motion and sound of so many seconds are expected to take."""
        frames = max(1, round(span * self._header.fps))
        return self.expected_motion(frames) + self._sound(span)

    def _least(self, span: Fraction) -> int:
        """The same with motion as coarse as the settings allow."""
        frames = max(1, round(span * self._header.fps))
        chosen = self._config.motion
        step = _COARSEST if chosen == "auto" else chosen.step
        return self._motion_bytes(frames, step) + self._sound(span)

    def overhead(self, shape: int) -> int:
        """Bytes of a small keyframe without its picture, if its shape takes `shape` bytes."""
        return _BODY + shape + self._fragment()

    def keyframe_bytes(self, picture: int, shape: int) -> int:
        """Bytes that a keyframe takes in all, by the bytes of its picture and its shape."""
        body = _BODY + shape + picture
        return body + self._fragment() * math.ceil(body / FRAGMENT_BYTES)

    def join_bytes(self) -> int:
        """Bytes that a join keyframe takes beyond another reference: landmarks, a STREAM packet."""
        stream = self.framed(len(self._header.to_payload()))
        return stream + self.overhead(_SHAPE) - self.overhead(1)

    def picture_bytes(self, room: float, shape: int) -> int:
        """Bytes for the picture of a keyframe that may take `room` bytes in all, if its shape takes
        `shape` of them.
        """
        each = self._fragment()
        fragments = max(1, math.ceil(room / (FRAGMENT_BYTES + each)))
        return max(0, min(int(room) - fragments * each - _BODY - shape, MAX_PICTURE))

    def _around(self, entries: int) -> int:
        """Bytes of a file beside its packets, if its index has so many entries."""
        return HEAD_BYTES + _TRAILER + entries * _ENTRY if self._in_file else 0

    def _fragment(self) -> int:
        """Bytes of a keyframe's packet without its part of the keyframe."""
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
        most = self.expected(span) + count * stream + self._most_pictures(span, count)
        if not (self._in_file and self._config.base) and (self.per_second or 0) * span > most:
            _log.warning(
                "%g kbit/s cannot be used up: at most about %d go into one scene, with the largest "
                "reference pictures",
                (self.per_second or 0) / 125,
                math.ceil(most / 125 / float(span)),
            )

    def _most_pictures(self, span: Fraction, joins: int) -> int:
        """Bytes of the largest references that so many seconds of one scene can have, if one can
        join at so many places.
        """
        together = self._config.planned_together(span if self._in_file else None)
        if self._live or not together:  # a part of one reference behind each frame
            return math.ceil(span * self._header.fps) * self.framed(MAX_DATAGRAM - HEADER_BYTES)
        fragments = math.ceil(MAX_PICTURE / FRAGMENT_BYTES)
        each = MAX_PICTURE + self.overhead(_SHAPE) + (fragments - 1) * self._fragment()
        most = 1 if self._config.references == 1 else MOST
        return (math.ceil(span / together) + joins - 1) * most * each

    def expected_motion(self, frames: int) -> int:
        """Bytes that the motion of so many frames is expected to take."""
        return self._motion_bytes(frames, self.motion.step)

    def _motion_bytes(self, frames: int, step: int) -> int:
        profile = self._config.profile
        if profile in STATELESS:
            return frames * self.framed(FP16_BYTES if profile == Profile.FP16 else POSE_FP16_BYTES)
        together = self.bundle
        bits = _POSE_BITS if profile == Profile.POSE else _motion_bits(step)
        bits *= _WITH_GAZE if self._header.gaze else 1.0
        payload = _ENTROPY_HEAD + math.ceil(together * bits / 8)
        return math.ceil(frames / together) * self.framed(payload)

    def _step(self, part: float = 1.0) -> int:
        """The finest quantiser step whose motion takes no more than its share, if only a `part` of
        the rate is there. Poses begin as coarse as they may be at any rate.
        """
        if self.per_second is None or self._config.profile in POSES:
            return _FINEST
        left = part * self.per_second - self._sound(LIVE_SPAN) / float(LIVE_SPAN)
        share = _MOTION_SHARE * 8 * left / float(self._header.fps)
        steps = range(_FINEST, _COARSEST)
        return next((step for step in steps if _motion_bits(step) <= share), _COARSEST)

    def _sound(self, span: Fraction) -> int:
        if self.sound is None:
            return 0
        bitrate, packet_ms = self.sound
        packets = math.ceil(span / Fraction(packet_ms, 1000))
        return packets * self.framed(math.ceil(bitrate * packet_ms / 8000))

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
            f"{least}. Ask for more, lower --audio-kbps, or send keyframes less often",
            kbps,
        )


def _motion_bits(step: int) -> float:
    """Bits of a frame at a quantiser step, without headers."""
    return float(_MOTION_BITS * 2 ** ((_FINEST - step) / _HALF))


def _up(number: float, digits: int) -> str:
    """The number as text, rounded up so that what is shown is enough."""
    scale = 10**digits
    return f"{math.ceil(number * scale) / scale:.{digits}f}"
