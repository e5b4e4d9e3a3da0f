"""`PictureTrack`: motion packets of one stream, in order, to pictures on the stream's clock."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ...codec.errors import MotionError, StreamError
from ...codec.keyframe import Keyframe
from ...codec.motion.entropy import MAX_FRAMES, MissingReferenceError
from ...codec.motion.frame import MotionFrame
from ...codec.motion.profiles import Profile, motion_reader, motion_ticks
from ...codec.packet import Flags, Packet
from ...codec.stream import StreamHeader
from ...models.mel import SAMPLE_RATE
from ..config import DecoderConfig
from ..ordering.timeline import Timeline
from ..outputs import Frame, PictureOutput
from ..statistics import Statistics
from .badge import draw_badge
from .concealment import MotionSample, between, predict
from .references import PreparedReference, ReferencePool
from .sound import SoundTrack

if TYPE_CHECKING:
    from ..generators.protocol import Generator

__all__ = ["PictureTrack"]

_PACKETS_APART = 4
"""A step of so many packets is always plausible, however slow the video."""
_MOST_WAITING = 512


@dataclass(frozen=True, slots=True)
class _Pending:
    """A frame that waits for its sound; without a moment the last picture is shown again."""

    full: int
    moment: MotionSample[PreparedReference] | None
    concealed: bool


class PictureTrack:
    """Fills gaps, waits for the sound a frame needs, and has it rendered.

    Args:
        header: of the stream.
        generator: makes the pictures.
        config: of the decoder.
        statistics: of the decoder; counted into.
        sound: the stream's sound, None where it has none: then nothing waits.

    Raises:
        UnsupportedError: motion of a profile or with tables that this build does not know.
    """

    def __init__(
        self,
        header: StreamHeader,
        generator: Generator,
        config: DecoderConfig,
        statistics: Statistics,
        sound: SoundTrack | None,
    ) -> None:
        self._header = header
        self._generator = generator
        self._config = config
        self._statistics = statistics
        self._sound = sound
        self._pool = ReferencePool(generator, config.references, (header.height, header.width))
        pause = max(Fraction(config.max_pause_ms, 1000), self._longest_packet() * _PACKETS_APART)
        self._timeline: Timeline[tuple[Packet, int]] = Timeline(int(pause / header.time_base))
        self._reader = motion_reader(header.profile, header.tables)
        self._bundle = 1  # frames of the largest packet lately: so much a lost one may have held
        self._past: deque[MotionSample[PreparedReference]] = deque(maxlen=2)
        self._waiting: deque[_Pending] = deque()
        self._newest: int | None = None
        self._picture: Frame | None = None

    def _longest_packet(self) -> Fraction:
        """Seconds from one MOTION packet to the next, at most."""
        frames = 1 if self._header.profile == Profile.FP16 else MAX_FRAMES
        return frames / self._header.fps

    def __len__(self) -> int:
        """Frames that wait."""
        return len(self._waiting)

    @property
    def references(self) -> tuple[int, ...]:
        """Ids of the keyframes that motion may refer to."""
        return tuple(self._pool)

    def use(self, generator: Generator) -> None:
        """Render from now on with this one: the same network, adapted to the person."""
        self._generator = generator
        self._pool.use(generator)

    def add_keyframe(self, keyframe: Keyframe) -> None:
        """Make a keyframe ready for motion that refers to it.

        Raises:
            StreamError, MotionError: its picture or shape cannot be used.
        """
        self._statistics.keyframes += self._pool.add(keyframe)
        self._timeline.anchor(keyframe.pts)

    def push(self, packet: Packet, lost: int) -> None:
        """Take a MOTION packet; `lost` sequence numbers before it never came."""
        for full, (item, before) in self._timeline.push(packet.pts, (packet, lost)):
            self._take(full, item, before)

    def render(self, *, everything: bool = False) -> list[PictureOutput]:
        """Pictures whose sound has come; `everything`: all, since no more will come."""
        if everything:
            for full, (packet, lost) in self._timeline.flush():
                self._take(full, packet, lost)
        outputs: list[PictureOutput] = []
        while self._waiting and (everything or self._heard(self._waiting[0].full)):
            outputs += self._show(self._waiting.popleft())
        return outputs

    def _take(self, full: int, packet: Packet, lost: int) -> None:
        """The frames of a packet whose first one is at `full`."""
        reference = self._pool.get(packet.reference)
        frames = self._frames(full, packet, reference)
        for ticks, motion in frames:
            moment = None
            if motion is not None and reference is not None:
                pts = (full + ticks) * self._header.time_base
                moment = MotionSample(pts, motion, reference)
            self._append(full + ticks, moment, lost * self._bundle, reference)
            lost = 0
        self._bundle = max(len(frames), self._bundle - 1)

    def _append(
        self,
        full: int,
        moment: MotionSample[PreparedReference] | None,
        lost: int,
        reference: PreparedReference | None,
    ) -> None:
        """One frame; `lost` frames before it may be missing."""
        if self._newest is not None and full <= self._newest:
            self._statistics.late += 1
            return
        if lost and self._newest is not None:
            self._fill(self._newest, full, lost, moment)
        self._newest = full
        if moment is not None:
            self._past.append(moment)
            self._waiting.append(_Pending(full, moment, False))
        elif reference is None:
            self._waiting.append(_Pending(full, None, True))
        else:
            pts = full * self._header.time_base
            self._waiting.append(_Pending(full, self._predicted(pts), True))

    def _frames(
        self, full: int, packet: Packet, reference: PreparedReference | None
    ) -> list[tuple[int, MotionFrame | None]]:
        """Ticks and motion of a packet's frames; None where there is none (counted)."""
        if reference is None:
            self._statistics.missing_reference += 1
            self._statistics.wants_keyframe = True
            return [(ticks, None) for ticks in self._ticks(packet)]
        key = reference.keyframe
        try:
            frames = self._reader.decode(packet.payload, full, key.id, key.motion)
        except MissingReferenceError as error:
            self._statistics.missing_reference += 1
            self._statistics.wants_refresh = True
            return [(ticks, None) for ticks in error.ticks]
        except (StreamError, MotionError):
            self._statistics.damaged += 1
            return [(0, None)]
        if Flags.INTRA in packet.flags:
            self._statistics.wants_refresh = False
        return list(frames)

    def _ticks(self, packet: Packet) -> list[int]:
        """When the frames of a packet are that cannot be decoded."""
        try:
            return motion_ticks(self._header.profile, packet.payload)
        except StreamError:
            return [0]

    def _predicted(self, pts: Fraction) -> MotionSample[PreparedReference] | None:
        if not self._past:
            return None
        motion = predict(self._past, pts, 1 / self._header.fps)
        return MotionSample(pts, motion, self._past[-1].reference)

    def _fill(
        self, start: int, end: int, lost: int, known: MotionSample[PreparedReference] | None
    ) -> None:
        """Make up the frames lost between two ticks; `known` is what came at `end`, if usable.

        A lost packet may have been sound or a keyframe: no more frames are made than were lost,
        and none where the sender left a pause.
        """
        base = self._header.time_base
        missing = round((end - start) * base * self._header.fps) - 1
        missing = min(missing, lost, end - start - 1, self._config.max_concealed)
        for index in range(1, missing + 1):
            full = start + (end - start) * index // (missing + 1)
            moment = self._predicted(full * base)
            if moment is not None and known is not None:
                motion = between(self._past[-1], known, moment.pts)
                moment = MotionSample(moment.pts, motion, moment.reference)
            self._waiting.append(_Pending(full, moment, True))

    def _centre(self, full: int) -> int:
        """The frame's time in samples of the sound."""
        return math.floor(full * self._header.time_base * SAMPLE_RATE)

    def _heard(self, full: int) -> bool:
        """Whether the frame's sound has come, or has been waited for long enough."""
        if self._sound is None or self._newest is None:
            return True
        if self._sound.heard >= self._sound.needed(self._centre(full)):
            return True
        waited = (self._newest - full) * self._header.time_base * 1000
        return waited >= self._config.max_wait_ms or len(self._waiting) > _MOST_WAITING

    def _show(self, pending: _Pending) -> list[PictureOutput]:
        moment = pending.moment
        if moment is not None:
            mel = self._sound.mel(self._centre(pending.full)) if self._sound else None
            picture = self._generator.render(moment.reference.source, moment.motion, mel)
            self._picture = draw_badge(picture) if self._config.badge else picture
        if self._picture is None:
            return []  # nothing was ever seen: there is no picture to hold
        self._statistics.frames += 1
        self._statistics.concealed += pending.concealed
        pts = pending.full * self._header.time_base
        wanted = self._statistics.wants_keyframe
        return [PictureOutput(self._picture, pts, pending.concealed, wanted)]
