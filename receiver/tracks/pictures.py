"""`PictureTrack`: frames wait for the sound that they need, and then they are due.

A picture that is due (`DuePicture`) is not rendered yet. So a decoder may render it at once, and a
file player may render several at the same time.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from ...codec.control import ReferenceState
from ...codec.keyframe import Keyframe
from ...codec.light import Light
from ...codec.motion.frame import MotionFrame
from ...codec.motion.profiles import POSES
from ...codec.packet import Packet
from ...codec.stream import StreamHeader
from ...models.mel import SAMPLE_RATE
from ..config import DecoderConfig
from ..outputs import Frame
from ..statistics import Statistics
from ..talking.speech import LastSeen, Speech, TheirMouth
from .badge import draw_badge
from .base import BaseTrack
from .light import LightTrack
from .motion import MotionTrack, Sample, TimedFrame
from .pace import Pace
from .references import ReferencePool
from .seam import Seam, UsedBase
from .sound import SoundTrack

if TYPE_CHECKING:
    from ..generators.protocol import Array, Fuser, Generator, Source

__all__ = ["DuePicture", "PictureTrack", "Rendering"]

_MOST_WAITING = 512
_PATIENCE_S = 0.125
"""A frame whose mouth goes on speaking waits for so much more sound. The mouth then hears what it
looks ahead, and if the frame's motion came with that sound, it would be here."""
_LONGEST_S = 4
"""Motion that is missing for longer is no longer made up: the picture stands."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """Everything that is needed to make one picture.

    Attributes:
        generator: makes it of the next three.
        source: the keyframe.
        motion: of the frame.
        mel: its sound, None for silence.
        badge: whether the badge is drawn into it.
        fuser: puts generated picture and base layer together.
        base: what is used of the base layer, None if nothing is.
        light: of the frame, None if it is that of the keyframe.
    """

    generator: Generator
    source: Source
    motion: MotionFrame
    mel: Array | None
    badge: bool
    fuser: Fuser
    base: UsedBase | None = None
    light: Light | None = None

    def picture(self) -> Frame:
        """Render it: uint8 RGB `[H, W, 3]`."""
        picture = self.generator.render(self.source, self.motion, self.mel)
        if self.light is not None:
            picture = self.light.on(picture)
        if self.base is not None:
            points = self.generator.points(self.source, self.motion)
            base, age, trust = self.base.picture, self.base.age, self.base.trust
            picture = self.fuser.fuse(picture, base, points, age=age, trust=trust)
        return draw_badge(picture) if self.badge else picture


@dataclass(frozen=True, slots=True, eq=False)
class DuePicture:
    """A picture to show, in the order of `pts`.

    Attributes:
        rendering: how to make it; None shows the picture before it again. The first picture of a
            stream always has one.
        pts, concealed, wants_keyframe: as in `PictureOutput`.
    """

    rendering: Rendering | None
    pts: Fraction
    concealed: bool
    wants_keyframe: bool


class PictureTrack:
    """The pictures of one stream.

    Args:
        header: of the stream.
        generator: makes the pictures.
        fuser: puts them together with those of the base layer.
        config: of the decoder.
        statistics: of the decoder; counted into.
        sound: the stream's sound; None if it has none, then nothing waits.
        mouth: moves with the sound.

    Raises:
        UnsupportedError: motion of a profile or with tables that this build does not know.
    """

    def __init__(
        self,
        header: StreamHeader,
        generator: Generator,
        fuser: Fuser,
        config: DecoderConfig,
        statistics: Statistics,
        sound: SoundTrack | None,
        mouth: TheirMouth,
    ) -> None:
        self._time_base, self._fps = header.time_base, header.fps
        self._posed = header.profile in POSES
        self._generator, self._fuser = generator, fuser
        self._config = config
        self._badge = config.badge or header.keeps_badge
        self._statistics = statistics
        self._sound = sound
        self._speech: Speech | None = None
        self._mouth: TheirMouth | None = mouth  # None: it was looked for
        self._pool = ReferencePool(generator, config.references, (header.height, header.width))
        self._motion = MotionTrack(header, config, statistics, self._pool)
        self._base = BaseTrack(header, statistics, self._pool)
        self._light = LightTrack(header, statistics, self._pool)
        self._seam = Seam(header.fps * header.time_base)
        self._waiting: deque[tuple[TimedFrame, float | None]] = deque()  # and when it came
        self._since: float | None = None  # when the first frame came
        self._begun = False  # whether there is a picture that can be shown again
        self._missing = False  # motion may have been lost since it came last
        self._made_up = -math.inf  # time in ticks of the newest frame that did not wait for motion
        self._pace = Pace()

    def __len__(self) -> int:
        """Number of frames that wait."""
        return len(self._waiting)

    @property
    def decoded(self) -> int | None:
        """Time of the newest frame that was decoded, in ticks; None before the first."""
        return self._motion.decoded

    @property
    def newest(self) -> int | None:
        """Time of the newest frame, in ticks; None before the first."""
        return self._motion.newest

    @property
    def references(self) -> tuple[ReferenceState, ...]:
        """The keyframes that motion may refer to."""
        return self._pool.states

    def restart(self) -> None:
        """The sender began anew: the next frame may have any time. The keyframes stay."""
        self._motion.restart()
        self._base.restart()
        self._light.restart()
        self._missing, self._made_up = False, -math.inf
        if self._speech is not None:
            self._speech.restart()
        self._pace = Pace()

    def follows(self, packet: Packet) -> bool:
        """Whether nothing that a MOTION packet needs can be missing before it."""
        return self._motion.follows(packet)

    def needs(self, packet: Packet, until: float) -> bool:
        """Whether the frames that are missing before a MOTION packet lie before a time in seconds.
        It is false if the packet needs a keyframe that may still come.
        """
        return self._motion.needs(packet, until)

    def use(self, generator: Generator) -> None:
        """Render from now on with this generator: the same network, adapted to the person."""
        self._generator = generator
        self._pool.use(generator)

    def add_keyframe(self, keyframe: Keyframe) -> None:
        """Prepare a keyframe for motion that refers to it.

        Raises:
            MissingBaseError: it depends on a keyframe that is not here.
            StreamError, MotionError: its picture or shape cannot be used.
        """
        asked, new = self._statistics.wants_keyframe, self._pool.add(keyframe)
        self._statistics.keyframes += new
        if new and keyframe.base is None and not asked and self._speech is not None:
            self._speech.forget()  # nobody asked for a picture of the same person

    def push_base(self, packet: Packet) -> None:
        """Take a BASE packet, in whatever order it comes."""
        self._base.push(packet, self._motion.newest)

    def push_light(self, packet: Packet) -> None:
        """Take a LIGHT packet, in whatever order it comes."""
        self._light.push(packet, self._motion.newest)

    def push(self, packet: Packet, lost: int, now: float | None = None) -> int:
        """Take a MOTION packet; `lost` sequence numbers directly before it never came.

        Returns:
            How many frames came of it, including those made up.
        """
        before = self._motion.newest
        frames = self._motion.push(packet, lost, now)
        if frames:
            self._missing = False
            if before is not None and frames[-1].ticks < before:
                self._made_up = -math.inf  # the sender's times have gone back
        self._waiting.extend((frame, now) for frame in frames if frame.ticks > self._made_up)
        if frames and self._since is None:
            self._since = now
        return len(frames)

    def miss(self) -> None:
        """Packets were lost that were no sound. If no motion follows, it was motion."""
        self._missing = True

    def due(
        self, now: float | None = None, *, everything: bool = False, paced: bool = False
    ) -> list[DuePicture]:
        """The pictures whose sound has come, or that have waited for it long enough.

        Args:
            now: seconds of the clock, None without one.
            everything: give all, since no more will come.
            paced: of those that come too late, give only the newest (`pace.py`).
        """
        if everything:
            self._waiting.extend((frame, now) for frame in self._motion.flush())
        ready: list[TimedFrame] = []
        while self._waiting and (everything or self._is_due(*self._waiting[0], now)):
            ready.append(self._waiting.popleft()[0])
        if now is not None and not self._waiting and not everything:
            ready += self._without_motion(now)
        most = self._config.max_renders
        if paced and now is not None:
            times = [float(frame.ticks * self._time_base) for frame in ready]
            most = self._pace.room(times, now, most)
        due = [self._due(frame) for frame in self._newest(ready, most)]
        return [picture for picture in due if picture is not None]

    def _without_motion(self, now: float) -> list[TimedFrame]:
        """The frames that are due though no motion comes for them: the mouth goes on speaking.
        Without a clock, they are made up when the gap has ended.
        """
        newest = self._motion.newest
        if not self._missing or newest is None or self._find_speech() is None:
            return []
        frames: list[TimedFrame] = []
        ticks, end = self._after(newest), newest + int(_LONGEST_S / self._time_base)
        while ticks <= end and self._has_sound(ticks, _PATIENCE_S, now):
            frames.append(self._motion.gone_on(ticks))
            self._made_up = ticks
            ticks = self._after(newest)
        return frames

    def _after(self, newest: int) -> int:
        """Time in ticks of the frame after the newest one, whether that came or was made up."""
        return round(max(newest, self._made_up) + 1 / (self._fps * self._time_base))

    def _newest(self, frames: list[TimedFrame], most: int) -> list[TimedFrame]:
        """The newest frames, so that at most so many are rendered."""
        renders = sum(frame.sample is not None for frame in frames)
        skipped = 0
        while renders > most:
            renders -= frames[skipped].sample is not None
            skipped += 1
        if skipped:
            self._statistics.skipped += skipped
            _log.info("skipped %d frames, too many to render at once", skipped)
        return frames[skipped:]

    def _centre(self, ticks: int) -> int:
        """A frame's time in samples of the sound."""
        return math.floor(ticks * self._time_base * SAMPLE_RATE)

    def _is_due(self, frame: TimedFrame, came: float | None, now: float | None) -> bool:
        """Whether the frame's sound has come, or the frame has waited for it long enough."""
        newest = self._motion.newest
        if self._sound is None or newest is None:
            return True
        if frame.ticks > newest:
            return True  # its time was false, or the sender began anew
        patience = 0.0 if frame.last is None or self._speech is None else _PATIENCE_S
        if self._has_sound(frame.ticks, patience, now):
            return True
        if len(self._waiting) > _MOST_WAITING:
            return True
        if now is None or came is None:
            waited = float((newest - frame.ticks) * self._time_base)
        else:
            waited = max(now - came, self._without_sound(now))
        return waited >= max(self._config.max_wait_ms / 1000, patience)

    def _has_sound(self, ticks: int, more_s: float, now: float | None) -> bool:
        """Whether the sound of a frame has come, and so many seconds more."""
        if self._sound is None:
            return False
        needed = self._sound.needed(self._centre(ticks)) + round(more_s * SAMPLE_RATE)
        return self._sound.known(now) >= needed

    def _without_sound(self, now: float) -> float:
        """Seconds for which no sound has come; if it has stopped, nothing waits for it."""
        came = None if self._sound is None else self._sound.came
        since = self._since if came is None else came
        return 0.0 if since is None else now - since

    def _due(self, frame: TimedFrame) -> DuePicture | None:
        rendering = None
        if frame.sample is not None:
            mel = self._sound.mel(self._centre(frame.ticks)) if self._sound else None
            source = frame.sample.reference.source
            motion = self._spoken(frame, frame.sample)
            base = self._seam.next(self._base.at(frame.ticks), frame.ticks)
            light = self._light.at(frame.sample.reference.keyframe, frame.ticks)
            rendering = Rendering(
                self._generator, source, motion, mel, self._badge, self._fuser, base, light
            )
            self._statistics.based += base is not None
            self._begun = True
        if not self._begun:
            return None  # no picture was shown yet: there is none to show again
        self._statistics.frames += 1
        self._statistics.concealed += frame.concealed
        pts = frame.ticks * self._time_base
        return DuePicture(rendering, pts, frame.concealed, self._statistics.wants_keyframe)

    def _spoken(self, frame: TimedFrame, sample: Sample) -> MotionFrame:
        """The motion of a frame; where no mouth was sent for it, the sound moves the mouth."""
        motion, seconds = sample.motion, float(sample.pts)
        speech = self._find_speech()
        if speech is None:
            return motion
        key = sample.reference.points
        if self._posed:
            return speech.said(key, self._points(sample), motion, seconds)
        if frame.last is not None:
            last = LastSeen(self._points(frame.last), float(frame.last.pts))
            return speech.went_on(key, self._points(sample), motion, last, seconds)
        if not frame.concealed and speech.learns(seconds):
            speech.saw(key, self._points(sample), seconds)
        return motion

    def _points(self, sample: Sample) -> Array:
        """The landmarks of a frame."""
        return self._generator.points(sample.reference.source, sample.motion)

    def _find_speech(self) -> Speech | None:
        """What moves mouths; None without sound or without weights for it."""
        mouth, self._mouth = self._mouth, None
        if mouth is not None and self._sound is not None:
            predictor = mouth.predictor()
            self._speech = None if predictor is None else Speech(predictor, self._sound)
        return self._speech
