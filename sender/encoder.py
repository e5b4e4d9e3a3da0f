"""`Encoder`: frames and sound in, packets out. The caller pushes; there is no thread, no clock and
no event loop. A call passes the time in, and what its receiver reports.

frame → Sight ─┬→ LiveCoder ────→ keypoints → MOTION, references → KEYFRAME
               └→ SegmentCoder ─→ the same, planned for seconds together
sound → SoundCoder → AUDIO
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..codec.control import Control, ReferenceState, Wants
from ..codec.counters import WRAP
from ..codec.errors import ConfigError, NoFaceError
from ..codec.motion.profiles import tables_version
from ..codec.packet import Packet
from ..codec.stream import AudioParameters, StreamHeader
from ..models.weights import check_identity, load_card
from .announcing import Announcer
from .config import EncoderConfig
from .feedback import Feedback
from .frame_grid import FrameGrid
from .live import LiveCoder
from .motion.animation import Animation
from .motion.keypoints import KeypointSource, keypoint_source
from .observed import ObservedFrame
from .performance import Performance
from .performing.lips import Mouths
from .performing.performer import LAG
from .rate.control import RateControl
from .segment import Item, SegmentCoder
from .sight import Sight
from .sound.coder import SoundCoder
from .statistics import EncoderStatistics
from .still_work import StillWork
from .stream_time import StreamTime
from .tracking.finder import FaceTracker

__all__ = ["Encoder", "EncoderStatistics"]

_MOST = 1000  # frames and packets of sound that wait at most, at any frame rate
_FAR = WRAP // 2  # ticks: a 16-bit pts cannot tell such a jump from one backwards
_TICK_MS = 20  # of the pts of sound, in a call with a clock

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


def _random_session() -> int:
    return int.from_bytes(os.urandom(4)) or 1


class Encoder:
    """Turns the frames and the sound of one talking person into packets.

    It is made quickly. What takes seconds, loading the tracker's networks, comes with the first
    frame, or with `prepare`.

    Args:
        config: settings.
        fps: nominal frames a second.
        time_base: seconds in a tick of `pts`; by default the time of a frame.
        duration_s: seconds of the whole video, for a file; None in a call. A rate then holds over
            the whole file, and all frames before the first face are sent once a face comes.
        sound: whether sound will be given (`config.audio_kbps` must be set too).
        tracker: used instead of the default one, for tests or to share one. It is not closed.
        keypoints: used instead of what the network was trained with. It is not closed.
        mouths: tells how a mouth moves with sound, as the receiver's `MouthPredictor` does; needed
            if sound is the driver (`config.driver`).
        session: gives the number of each stream of a call, 1 to 2^32 - 1; by default it is random.
            Files have none.

    Attributes:
        config: as given.
        header: what the STREAM packets carry. Its `session` is new after each `reset`; in a call
            with a clock, its ticks of sound become 20 ms with the first call of `encode`.
        statistics: counts.

    Raises:
        ConfigError: settings that contradict each other.
        RateError: the rate is too low for motion, sound and one picture.
        WeightsError: the network is missing, or the identity belongs to other weights.
    """

    def __init__(
        self,
        config: EncoderConfig | None = None,
        *,
        fps: Fraction | int = Fraction(25),
        time_base: Fraction | None = None,
        duration_s: Fraction | None = None,
        sound: bool = True,
        tracker: FaceTracker | None = None,
        keypoints: KeypointSource | None = None,
        mouths: Mouths | None = None,
        session: Callable[[], int] = _random_session,
    ) -> None:
        self.config = config or EncoderConfig()
        self._duration = duration_s
        card = load_card(self.config.model)
        identity = self.config.identity
        if identity is not None:
            check_identity(card, identity)
        portrait = self.config.portrait
        if portrait is not None and card.config.get("keypoint_mode", "mesh") != "mesh":
            raise ConfigError(
                f"a portrait needs a network whose keypoints come from the face mesh; {card.name} "
                "finds its own"
            )
        self._together = self.config.planned_together(duration_s)
        self._session = session
        packet = self.config.sound_together(live=self._together == 0)
        rate = round((self.config.audio_kbps or 0) * 1000)
        wanted = sound and self.config.has_sound
        self.header = self._basis = StreamHeader(
            model=card.name,
            weights_sha256=card.sha256,
            width=self.config.size,
            height=self.config.size,
            fps=Fraction(fps),
            time_base=time_base or 1 / Fraction(fps),
            profile=self.config.profile,
            tables=tables_version(self.config.profile, gaze=card.gaze),
            audio=AudioParameters(bitrate=rate, frame_ms=packet) if wanted else None,
            identity=None if identity is None else identity.id,
            portrait=None if portrait is None else portrait.consent or "",
            performed=self.config.driver == "sound",
        )
        self._rate = RateControl(self.config, self.header, duration_s)
        self._still_work = StillWork()
        self._keypoints = keypoints or keypoint_source(card)
        self._owns_keypoints = keypoints is None
        times = (self.header.fps, self.header.time_base)
        self._performance: Performance | None = None
        self._sight: Sight | Performance
        if self.header.performed:
            self._sight = self._performance = Performance(self.config, times[1], mouths)
        else:
            self._sight = Sight(self.config, *times, live=self._together == 0, tracker=tracker)
        self.reset()

    def prepare(self) -> None:
        """Load what the first frame needs, which takes a second or more. It may be called in
        another thread, before the first frame.

        Raises:
            WeightsError: the tracker's model is missing, or cannot be run.
            MissingExtraError: OpenCV is not installed, or mediapipe where `config.tracker` asks
                for it.
            NoFaceError, MediaError: the portrait does not show one face from the front.
            ConsentError: whose the portrait is cannot be checked here, and it carries no consent.
        """
        self._sight.prepare()

    def reset(self) -> None:
        """Begin a new stream with the same settings, and the rate that was set last. What was not
        returned yet is dropped.
        """
        self.statistics = EncoderStatistics()
        self._ready: list[Packet] = []
        self._sight.reset()
        self._rate.reset()
        live = self._together == 0
        self.header = replace(self._basis, session=self._session()) if live else self._basis
        self._announcer = Announcer(self.header, self.config.identity)
        self._time = StreamTime()
        self._grid: FrameGrid | None = None
        self._sound: SoundCoder | None = None
        self._animation = Animation(
            self.config,
            self.header,
            self._rate.motion,
            self._rate.bundle,
            self._keypoints,
            live=live,
        )
        parts = (self._animation, self._rate, self._announce)
        self._live = None
        if live:
            self._live = LiveCoder(self.config, *parts, self.header.fps, self._still_work)
        session = self.header.session
        self._feedback = Feedback(session, self._announcer, self._animation, self._live)
        self._segment = SegmentCoder(self.config, self.header.fps, *parts)
        self._items: list[Item] = []
        self._until = self._together
        self._sequence = 0
        self._pts: int | None = None
        self._early = 0
        self._start = 0
        self._joined_pts = 0
        self._wanted = True
        self._spoke: Fraction | None = None  # when a packet of sound was complete last
        self._speaks = False  # one was just now
        self._due_of = -1, 0  # what `_dues` are of: a tick, and how long a packet lasts
        self._dues = Fraction(0), Fraction(0)
        self._announced = False
        self._ended = False

    @property
    def shown(self) -> Frame | None:
        """The portrait as it is sent, uint8 RGB `[size, size, 3]`; None without one, and before
        `prepare`.
        """
        return self._sight.portrait

    @property
    def together_ms(self) -> int:
        """How many milliseconds a packet of sound or of motion lasts at the present rate, in a call
        with a clock: 120, 80 or 40, the fewer the higher the rate.
        """
        return self._rate.together_ms

    def can_show(self, references: Collection[ReferenceState]) -> bool:
        """Whether a receiver that has these references can show the motion that is sent now. After
        a keyframe at which one can join, that keyframe must be among them.
        """
        return any(known.state in references for known in self._animation.known)

    def set_rate(self, kbps: float, waiting: int = 0) -> None:
        """Change the rate of a call, from now on: the quantiser step of motion, how long packets
        last, the references' bytes, and the rate of the sound. No keyframe is needed for it.

        Args:
            kbps: 1000 bits a second of all packets with their headers (6 bytes each).
            waiting: bytes of packets that the caller holds back, since the line had no room for
                them yet. No more keyframes are sent until they fit the rate.

        Raises:
            ConfigError: no such rate, or not a call.
        """
        if self._live is None:
            raise ConfigError("the rate of a file is set once, in EncoderConfig")
        if not 0 < kbps < 1e6:
            raise ConfigError(f"a rate lies between 0 and 1000000 kbps, not at {kbps:g}")
        self._rate.set_rate(kbps, self._time.seconds, waiting)
        self._ready += self._waiting_base()
        self._ready += self._counted(self._animation.adapt(self._rate.motion, self._rate.bundle))
        if self._sound is not None and self._rate.sound is not None:
            self._sound.change(*self._rate.sound)

    def code_aside(self) -> None:
        """From now on, in a call, another thread calls `work_ahead` over and over, and codes the
        pictures of references there. Call it before the first frame.
        """
        self._still_work.aside = True

    def work_ahead(self) -> bool:
        """Do one coding of a reference's picture, in a thread of its own, after `code_aside`;
        returns whether there was one. It takes 30 to 60 ms.
        """
        return self._still_work.work_ahead()

    @property
    def base_allowed(self) -> bool:
        """Whether a call's base layer may be sent now; set it, for example if the receiver cannot
        show one. False where the settings ask for none.
        """
        return self._live is not None and self._live.base is not None and self._live.base.allowed

    @base_allowed.setter
    def base_allowed(self, allowed: bool) -> None:
        if self._live is not None and self._live.base is not None:
            self._live.base.allowed = allowed

    def feed(self, data: bytes | Control, now: float | None = None) -> None:
        """Take a report of the receiver, such as `Decoder.feedback` gives. What it leads to comes
        with the next call of `encode`.

        The receiver may be mistaken, or lie. Frames that were not sent cannot be acknowledged.
        Keyframes on request come once a second at most, and within the rate; refreshes every 0.4 s,
        the identity every 10 s. Fragments of the last two keyframes are sent again, each every
        150 ms and four times at most. A report on another session is ignored.

        Args:
            data: the payload of a CONTROL packet, or what it says.
            now: seconds of the clock that `encode` gets, or None where it gets none.

        Raises:
            TruncatedError, UnsupportedError, StreamError: it is no report; see
                `Control.from_payload`.
        """
        report = data if isinstance(data, Control) else Control.from_payload(data)
        if self._time.clocked is None:  # nothing was sent yet
            return
        self._time.read(now)
        feedback = self._feedback
        self._ready += feedback.take(report, self._pts, self._time.seconds)
        self.statistics = replace(self.statistics, resent=feedback.resent, foreign=feedback.foreign)
        if report.wants & Wants.KEYFRAME and feedback.concerns(report):
            self.request_keyframe()
        wants_base = bool(report.wants & Wants.BASE) and feedback.concerns(report)
        if wants_base and self._live is not None and self._live.base is not None:
            self._live.base.want_another()

    def request_refresh(self) -> None:
        """Make the next motion depend on the keyframe alone (a receiver has lost frames)."""
        self._animation.stream.refresh()

    def acknowledge(
        self, pts: int, references: Collection[int | ReferenceState] | None = None
    ) -> bool:
        """Report that the receiver has decoded a frame. Call it for every frame, or for some.

        From the first call on, motion depends on acknowledged frames alone, so that a lost packet
        breaks nothing after it. If none is acknowledged for 1.5 s, it depends on the last frame
        again.

        Args:
            pts: time of the frame in ticks of `header.time_base`.
            references: the receiver's `Decoder.references`, or with the CRC-32 of each, which
                tells a new keyframe from an old one of the same id. Once they were given, a new
                reference is used only after it appeared among them, so that a lost one is never
                used.

        Returns:
            Whether the frame counts. One that was never sent, or is older than another that was
            acknowledged, does not.
        """
        if references is not None:
            self._animation.confirm(references)
        return self._animation.stream.acknowledge(pts)

    def request_keyframe(self) -> None:
        """Make the next frame with a face a keyframe at which one can join (a receiver has lost
        its references, or is new). In a call it does nothing within a second of the last such
        keyframe, and waits until no more than a second of the rate is overdrawn.
        """
        if self._live is None or not self._live.has_just_joined(self._time.seconds):
            self._wanted = True

    def request_identity(self) -> None:
        """Make the next call of `encode` send the identity again, if there is one (a receiver
        joined late, or lost a part of it).
        """
        self._announcer.ask_identity()

    def look(self, frame: Frame, now: float) -> ObservedFrame | None:
        """The longer half of `encode` for a frame, in a call with a clock: find the face.

        It may run in another thread than the other methods, so that sound need not wait for it.
        One frame at a time; each result goes to `encode`, in this order.

        Args:
            frame: as in `encode`.
            now: when it was taken.

        Returns:
            What `encode` takes as `frame`. None if it comes before the next tick: leave it out.

        Raises:
            ConfigError: the frame is not as described, or no call of `encode` with a clock has
                begun the stream.
        """
        if self._grid is None:
            raise ConfigError("begin the stream first: call encode(now=...)")
        place = self._place(None, max(self._time.at(now) - self._lag, Fraction(0)))
        return None if place is None else self._sight.observe(frame, place)

    def track(self, frame: Frame, pts: int) -> Frame | ObservedFrame:
        """The longer half of `encode` for a frame of a file: find the face.

        It may run in another thread than the other methods, ahead of them. One frame at a time;
        each result goes to `encode`, in this order and with the same `pts`.

        Args:
            frame: as in `encode`.
            pts: as in `encode`, rising.

        Returns:
            What `encode` takes as `frame`. If a photograph speaks, that is the frame itself, since
            its face follows the sound.

        Raises:
            ConfigError: the frame is not as described.
        """
        return frame if self._performance is not None else self._sight.observe(frame, pts)

    def encode(
        self,
        frame: Frame | ObservedFrame | None = None,
        pcm: Sound | None = None,
        pts: int | None = None,
        now: float | None = None,
    ) -> list[Packet]:
        """Take the next frame, the next sound, both, or neither.

        A call on a network gives `now` each time, and calls at least every 0.1 s, also while the
        camera is off. Then sound keeps to the clock (it may stop and go on, and drift), silence is
        not sent, frames whose times jitter are put on an even grid, and STREAM is repeated.

        If it raises, the frame is not part of the stream, but the sound is (unless the sound was
        the reason). Its packets come with the next call, so nothing is lost by going on.

        Args:
            frame: uint8 RGB `[H, W, 3]` of any size, with a face; or what `look` or `track`
                gave.
            pcm: float32 mono at 16 kHz `[n]`, any n, on [-1, 1]. Without a clock it continues the
                sound of the call before, and the very first sample belongs to time 0. With one,
                its end belongs to `now`.
            pts: the frame's time in ticks of `header.time_base`, later than the last frame's. By
                default it is one frame later, and 0 for the first frame; with a clock it follows
                `now` from the first call on. With a clock, a frame that is not later than the last
                is left out and counted.
            now: seconds of a clock that runs evenly, from any origin; with every call or with none.
                A reading that is a little earlier than the last is held.

        Returns:
            The packets that are ready, to be sent in this order. If seconds are planned together
            (`config.plan_ahead_s`), there are none for seconds, then many. Before the first face
            there is no motion; the motion of those frames follows with it.

        Raises:
            ConfigError: the frame or a time is not as described.
            MediaError: the sound is not as described.
        """
        if self._time.clocked is None:
            self._begin(pts or 0, now)
        self._time.read(now)
        at = self._time.seconds
        clocked = self._live is not None and self._time.clocked
        if clocked:
            self._ready += self._counted(self._announcer.repeat(at, self._rate.per_second))
        self._ready += self._announcer.identity((pts or 0) % WRAP, at)
        if self._performance is not None and pcm is not None:
            self._performance.hear(pcm, at if clocked else None)
        if self._sound is not None and pcm is not None:
            self._ready += self._hear(self._sound.push(pcm, at if clocked else None))
        elif self._sound is not None and clocked:
            self._ready += self._hear(self._sound.wait(at))
        if isinstance(frame, ObservedFrame):
            self._ready += self._see(frame)
        elif frame is not None:
            place = self._place(pts, max(at - self._lag, Fraction(0)))
            if place is not None:
                self._ready += self._see(self._sight.observe(frame, place))
        if clocked:
            self._ready += self._due_motion(at)
        return self._take()

    def flush(self) -> list[Packet]:
        """Give the packets that still wait. Call it at the end; after it, `reset` begins anew.

        Raises:
            NoFaceError: there were frames of a file, but none showed a face. It is raised once:
                another call gives the rest of the sound.
        """
        if not self._ended:
            self._ended = True
            self._finish()
            file = self._live is None or self._duration is not None
            if file and self._pts is not None and not self._animation.begun:
                raise NoFaceError(
                    "no face was found in the whole video: it must show one, from the front or "
                    "half from the side, at least a fifteenth of the picture high"
                )
        return self._take()

    @property
    def seconds(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last one so far."""
        return self._end()

    def close(self) -> None:
        """Free the tracker and the source of keypoints, unless the caller gave them."""
        self._sight.close()
        if self._live is not None and self._live.base is not None:
            self._live.base.clear()
        if self._owns_keypoints:
            self._keypoints.close()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, pts: int, now: float | None) -> None:
        """The first call of a stream, which says whether there is a clock."""
        self._time.begin(now, pts * self.header.time_base)
        clocked = self._live is not None and now is not None
        if clocked:
            self._rate.follow_clock()
            self._animation.adapt(self._rate.motion, self._rate.bundle)
            self._grid = FrameGrid(float(1 / self.header.fps / self.header.time_base))
            audio = self.header.audio
            if audio is not None:
                self.header = replace(self.header, audio=replace(audio, frame_ms=_TICK_MS))
                self._announcer.describe(self.header)
        if self._rate.sound is not None:
            self._sound = SoundCoder(*self._rate.sound, clocked=clocked)
        self._ready += self._counted([self._announcer.stream(pts, self._time.seconds)])

    def _finish(self) -> None:
        """Code everything that waits."""
        sound = self._hear(self._sound.flush()) if self._sound is not None else []
        if self._live is None:
            # Where the end of a video is lost, that is sooner than it was said to be.
            sound += self._drain(self._end())
        self._ready += self._waiting_base() + self._animation.flush() + sound

    @property
    def _lag(self) -> Fraction:
        """Seconds by which frames come after their time: where sound moves a face, in a call."""
        return LAG if self._performance is not None and self._time.clocked else Fraction(0)

    def _place(self, pts: int | None, at: Fraction) -> int | None:
        """The time in ticks of a frame that comes `at` so many seconds; None if it is too early."""
        if self._grid is not None:
            place = self._grid.place(float(at / self.header.time_base if pts is None else pts))
            self._early += place is None
            return place
        if pts is None:
            step = max(1, round(1 / self.header.fps / self.header.time_base))
            pts = 0 if self._pts is None else self._pts + step
        if self._pts is not None and pts <= self._pts:
            raise ConfigError(
                f"the frame at tick {pts} is not later than the one before, at tick {self._pts}"
            )
        return pts

    def _due_motion(self, at: Fraction) -> list[Packet]:
        """With a clock: the motion that has waited for more frames for so long as a packet lasts.
        It leaves with the sound of the same time, so that both can share a datagram.
        """
        since = self._animation.stream.since
        if since is None:
            return []
        spoke, self._speaks = self._speaks, False
        if not spoke and at < self._motion_due(since, at):
            return []
        return [*self._waiting_base(), *self._counted(self._animation.flush())]

    def _motion_due(self, since: int, at: Fraction) -> Fraction:
        """When motion that waits `since` a tick has waited long enough; one frame earlier where
        nobody talks.
        """
        if self._due_of != (since, self.together_ms):
            self._due_of = since, self.together_ms
            together, frame = Fraction(self.together_ms, 1000), 1 / self.header.fps
            jitter = frame / 4  # of frames
            latest = self._lag + since * self.header.time_base + together - jitter
            self._dues = latest - frame, latest
        if at < self._dues[0]:  # the usual case, and there are many calls
            return self._dues[0]
        together = Fraction(self.together_ms, 1000)
        talks = self._spoke is not None and at - self._spoke < 2 * together
        return self._dues[talks]

    def _waiting_base(self) -> list[Packet]:
        """What waits of a call's base layer. It goes before motion, so that it is not late."""
        return [] if self._live is None or self._live.base is None else self._live.base.flush()

    def _see(self, observed: ObservedFrame) -> list[Packet]:
        """Code a frame, or keep it until those that are planned together are there."""
        pts, last, self._pts = observed.pts, self._pts, observed.pts
        step = 1 / self.header.fps if last is None else (pts - last) * self.header.time_base
        if last is None:
            self._start = pts
        if observed.view is not None and not observed.view.faceless:
            # A 16-bit pts cannot express so long a pause; a keyframe carries the full time.
            far = last is not None and pts - last >= _FAR
            observed = replace(observed, join=far or self._is_due(pts, observed.join))
        if observed.join:
            self._joined_pts, self._wanted = pts, False
        if self._live is not None:
            self._count_time()
            packets = self._live.code(observed, self._time.seconds)
            self._wanted |= not self._live.joined
            return packets
        packets = []
        full = self._end() > self._until or len(self._items) >= _MOST
        if self._items and (observed.join or full):
            packets = self._drain(self._end() - step)
        self._items.append(observed)
        return packets

    def _drain(self, end: Fraction) -> list[Packet]:
        """Code the frames and the sound that wait, up to `end` seconds."""
        seen = [item for item in self._items if isinstance(item, ObservedFrame)]
        shown = iter(self._sight.shown(seen))
        items = [next(shown) if isinstance(item, ObservedFrame) else item for item in self._items]
        packets = self._segment.code(items, end)
        self._wanted |= not self._segment.joined
        self._items, self._until = [], end + self._together
        return packets

    def _hear(self, packets: list[Packet]) -> list[Packet]:
        """Take packets of sound; those that are ready."""
        if self._live is None:
            self._items += packets
            return self._drain(self._end()) if len(self._items) >= _MOST else []
        self._count_time()
        if packets:
            self._spoke, self._speaks = self._time.seconds, True
        return self._counted(packets)

    def _count_time(self) -> None:
        """Let time pass with the frames and the sound, where there is no clock."""
        if not self._time.clocked:
            sound = Fraction(0) if self._sound is None else self._sound.seconds
            self._time.count(self._end(), sound)

    def _counted(self, packets: list[Packet]) -> list[Packet]:
        """The packets, counted as sent."""
        self._rate.count(packets)
        return packets

    def _end(self) -> Fraction:
        """Seconds from the start of the first frame to the end of the last one."""
        if self._pts is None:
            return Fraction(0)
        return (self._pts - self._start) * self.header.time_base + 1 / self.header.fps

    def _is_due(self, pts: int, changed: bool) -> bool:
        """Whether a frame must be one to join at; `changed`: the person or the scene is new."""
        interval = self.config.keyframe_interval
        # Nobody's picture is driven by another person's face.
        if changed or (self._wanted and self._may_join()):
            return True
        if interval == "auto":
            return False
        return (pts - self._joined_pts) * self.header.time_base >= interval

    def _may_join(self) -> bool:
        return self._live is None or self._live.may_join(self._time.seconds)

    def _take(self) -> list[Packet]:
        """The packets that are ready, numbered."""
        packets, self._ready = self._ready, []
        first, self._sequence = self._sequence, self._sequence + len(packets)
        done, told = self._animation, self.statistics
        counts = done.frames, done.repeated, done.references, self._early
        if counts != (told.frames, told.repeated, told.keyframes, told.early):
            frames, repeated, keyframes, early = counts
            self.statistics = replace(
                told, frames=frames, repeated=repeated, keyframes=keyframes, early=early
            )
        return [
            replace(packet, sequence=(first + index) % WRAP) for index, packet in enumerate(packets)
        ]

    def _announce(self, pts: int) -> list[Packet]:
        """What goes before a join keyframe. The first one needs nothing more than the stream."""
        before, self._announced = self._announced, True
        if not before:
            return []
        self._rate.count_entry()
        return [self._announcer.stream(pts, self._time.seconds)]
