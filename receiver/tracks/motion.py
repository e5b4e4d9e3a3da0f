"""`MotionTrack`: MOTION packets in order become frames with a time, and gaps are filled."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from ...codec.counters import nearest
from ...codec.errors import MotionError, StreamError
from ...codec.motion.entropy import MAX_FRAMES, MissingReferenceError
from ...codec.motion.frame import MotionFrame
from ...codec.motion.pose import PoseFrame
from ...codec.motion.profiles import STATELESS, Motion, motion_reader, motion_ticks
from ...codec.packet import Flags, Packet
from ...codec.stream import StreamHeader
from ..config import DecoderConfig
from ..ordering.backwards import Backwards
from ..ordering.timeline import Timeline
from ..statistics import Statistics
from ..talking.pose import PosedKeyframes
from .concealment import MotionSample, between, predict
from .references import PreparedReference, ReferencePool

__all__ = ["MotionTrack", "Sample", "TimedFrame"]

_PACKETS_APART = 4
"""A step over so many packets is always plausible, however slow the video is."""
_BACK = Fraction(1, 2)  # seconds
_LONGEST_S = Fraction(3, 25)  # of a packet
_LONG = 1
"""Seconds of a gap in which nothing is made up where there is a clock: its time is over."""
Sample: TypeAlias = MotionSample[PreparedReference]


@dataclass(frozen=True, slots=True)
class TimedFrame:
    """A frame and its time.

    Attributes:
        ticks: full presentation time in ticks of the stream.
        sample: its motion; None if nothing is known, then the picture before it is shown again.
        concealed: the motion was made up, or nothing is known.
        last: the frame that the motion goes on from, where it was made up without knowing what
            comes after it; else None.
    """

    ticks: int
    sample: Sample | None
    concealed: bool
    last: Sample | None = None


class MotionTrack:
    """Decodes the motion of one stream. The times of the frames that it gives rise.

    Args:
        header: of the stream.
        config: of the decoder.
        statistics: of the decoder; counted into.
        pool: the keyframes that motion may refer to.

    Attributes:
        newest: time of the newest frame in ticks, None before the first.
        decoded: time of the newest frame that was decoded and not made up, in ticks.

    Raises:
        UnsupportedError: motion of a profile or with tables that this build does not know.
    """

    def __init__(
        self,
        header: StreamHeader,
        config: DecoderConfig,
        statistics: Statistics,
        pool: ReferencePool,
    ) -> None:
        self._header = header
        self._most_made_up = config.max_concealed
        self._statistics = statistics
        self._pool = pool
        in_packet = 1 if header.profile in STATELESS else MAX_FRAMES
        pause = max(Fraction(config.max_pause_ms, 1000), in_packet * _PACKETS_APART / header.fps)
        self._timeline: Timeline[tuple[Packet, int]] = Timeline(
            header.time_base, int(pause / header.time_base)
        )
        self._backwards = Backwards(int(_BACK / header.time_base))
        self._reader = motion_reader(header.profile, header.tables)
        self._posed = PosedKeyframes()
        self._bundle = 1  # a lost packet may have held as many frames as the largest lately
        self.decoded: int | None = None
        self._reference: int | None = None  # of the last packet
        self.restart()

    def restart(self) -> None:
        """The sender began anew: the next frame may have any time."""
        self._past: deque[Sample] = deque(maxlen=2)
        self.newest: int | None = None

    def follows(self, packet: Packet) -> bool:
        """Whether nothing that a packet needs can be missing between the newest frame and it: by
        its time no frame, and no keyframe, since it refers to that of the frame before.
        """
        if self.newest is None or packet.reference != self._reference:
            return False
        step = nearest(packet.pts, self.newest) - self.newest
        return 0 < step * self._header.time_base * self._header.fps < Fraction(3, 2)

    def needs(self, packet: Packet, until: float) -> bool:
        """See `PictureTrack.needs`."""
        if self.newest is None or packet.reference != self._reference:
            return False
        step = 1 / self._header.fps
        follows = self.newest * self._header.time_base + step
        begins = nearest(packet.pts, self.newest) * self._header.time_base
        return max(follows, begins - _LONGEST_S) < until

    def push(self, packet: Packet, lost: int, now: float | None = None) -> list[TimedFrame]:
        """Take a MOTION packet; `lost` sequence numbers directly before it never came."""
        reference = self._pool.get(packet.reference)
        near = None if reference is None else reference.keyframe.pts
        self._reference = packet.reference
        return self._believed(self._timeline.push(packet.pts, (packet, lost), now, near), now)

    def flush(self) -> list[TimedFrame]:
        """The frames of a packet whose time was in doubt; called when no more will come."""
        return self._believed(self._timeline.flush(), None)

    def gone_on(self, ticks: int) -> TimedFrame:
        """A made-up frame of which only the past is known."""
        last = self._past[-1] if self._past else None
        return TimedFrame(ticks, self._predicted(ticks), True, last)

    def _believed(
        self, packets: list[tuple[int, tuple[Packet, int]]], now: float | None
    ) -> list[TimedFrame]:
        frames: list[TimedFrame] = []
        for start, (packet, lost) in packets:
            if self.newest is not None and self._backwards.push(self.newest - start):
                self.restart()
            frames += self._frames(start, packet, 0 if self._is_over(start, now) else lost)
        return frames

    def _is_over(self, start: int, now: float | None) -> bool:
        """Whether a gap is so long that its frames would come too late."""
        if now is None or self.newest is None:
            return False
        return (start - self.newest) * self._header.time_base > _LONG

    def _frames(self, start: int, packet: Packet, lost: int) -> list[TimedFrame]:
        """The frames of a packet whose first one is at `start`, and those missing before it."""
        reference = self._pool.get(packet.reference)
        frames: list[TimedFrame] = []
        missing = lost * self._bundle
        decoded = self._decode(start, packet, reference)
        for offset, motion in decoded:
            if motion is not None:
                self.decoded = start + offset
            frame = self._frame(start + offset, motion, reference)
            if self.newest is not None and frame.ticks <= self.newest:
                self._statistics.late += 1
            else:
                frames += [*self._made_up(frame, missing), frame]
                self.newest = frame.ticks
                if frame.sample is not None and not frame.concealed:
                    self._past.append(frame.sample)
            missing = 0
        self._bundle = max(len(decoded), self._bundle - 1)
        return frames

    def _decode(
        self, start: int, packet: Packet, reference: PreparedReference | None
    ) -> list[tuple[int, MotionFrame | None]]:
        """Offset in ticks and motion of a packet's frames; no motion if it cannot be decoded."""
        if reference is None:
            self._statistics.missing_reference += 1
            self._statistics.ask_for_keyframe(f"keyframe {packet.reference} is not here")
            return [(offset, None) for offset in self._offsets(packet)]
        key = reference.keyframe
        try:
            found = self._reader.decode(packet.payload, start, key.id, key.motion)
            frames = [(offset, self._moved(motion, reference)) for offset, motion in found]
        except MissingReferenceError as error:
            self._statistics.missing_reference += 1
            self._statistics.wants_refresh = True
            return [(offset, None) for offset in error.ticks]
        except (StreamError, MotionError):
            self._statistics.damaged += 1
            return [(0, None)]
        if Flags.INTRA in packet.flags:
            self._statistics.wants_refresh = False
        return [*frames]

    def _moved(self, sent: Motion, reference: PreparedReference) -> MotionFrame:
        """The motion of a frame. Of a pose, it has the keyframe's mouth."""
        if isinstance(sent, PoseFrame):
            return self._posed.motion(
                reference.state, reference.keyframe.motion, reference.points, sent
            )
        return sent

    def _offsets(self, packet: Packet) -> list[int]:
        """Offsets in ticks of the frames of a packet that cannot be decoded."""
        try:
            return motion_ticks(self._header.profile, packet.payload)
        except StreamError:
            return [0]

    def _frame(
        self, ticks: int, motion: MotionFrame | None, reference: PreparedReference | None
    ) -> TimedFrame:
        """A frame as it was sent; predicted if only its motion is missing."""
        if reference is None:
            return TimedFrame(ticks, None, True)
        if motion is None:
            return self.gone_on(ticks)
        sample = MotionSample(ticks * self._header.time_base, motion, reference)
        return TimedFrame(ticks, sample, False)

    def _predicted(self, ticks: int) -> Sample | None:
        """Motion that continues the past; None if there is no past."""
        if not self._past:
            return None
        pts = ticks * self._header.time_base
        motion = predict(self._past, pts, 1 / self._header.fps)
        return MotionSample(pts, motion, self._past[-1].reference)

    def _made_up(self, end: TimedFrame, lost: int) -> list[TimedFrame]:
        """Frames for a gap that ends with a frame; at most `lost` frames may be missing there.

        A lost packet may have been sound or a keyframe. So no more frames are made up than may
        have been lost, and none where the sender paused.
        """
        if not lost or self.newest is None:
            return []
        length = end.ticks - self.newest
        missing = round(length * self._header.time_base * self._header.fps) - 1
        missing = min(missing, lost, length - 1, self._most_made_up)
        known = None if end.concealed else end.sample
        frames = []
        for index in range(1, missing + 1):
            ticks = self.newest + length * index // (missing + 1)
            frames.append(self._bridged(ticks, known))
        return frames

    def _bridged(self, ticks: int, known: Sample | None) -> TimedFrame:
        """A frame within a gap: interpolated if its end is known, else predicted."""
        if known is None or not self._past:
            return self.gone_on(ticks)
        pts = ticks * self._header.time_base
        start = self._past[-1]
        sample = MotionSample(pts, between(start, known, pts), start.reference)
        held = sample.motion is start.motion  # the gap is too long to be interpolated
        return TimedFrame(ticks, sample, True, start if held else None)
