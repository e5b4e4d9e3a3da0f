"""`Encoder`: frames and sound in, packets out. The caller pushes; there is no thread, no clock and
no event loop.

frame → track → follow → crop ─┬→ LiveCoder ────→ keypoints → MOTION, references → KEYFRAME
                               └→ SegmentCoder ─→ the same, planned for seconds together
sound → Opus → AUDIO
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

import numpy as np
import numpy.typing as npt

from ..codec.counters import WRAP
from ..codec.errors import ConfigError, NoFaceError
from ..codec.identity_packets import introduce
from ..codec.packet import Flags, Kind, Packet
from ..codec.sound.opus import OpusEncoder
from ..codec.stream import AudioParameters, StreamHeader
from ..models.weights import Card, check_identity, load_card
from .config import EncoderConfig
from .live import LiveCoder
from .motion.animation import Animation
from .motion.keypoints import KeypointSource, MeshSource
from .observed import ObservedFrame, View
from .rate import RateControl
from .segment import Item, SegmentCoder
from .tracking.finder import FaceTracker
from .tracking.observer import Observer
from .tracking.smoothing import Smoothing
from .tracking.trackers import open_tracker

__all__ = ["Encoder", "EncoderStatistics"]

_MOST = 1000  # frames and packets of sound that wait at most, at any frame rate
_FAR = WRAP // 2  # ticks: a 16-bit pts cannot tell such a jump from one backwards

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


@dataclass(slots=True)
class EncoderStatistics:
    """What was sent so far.

    Attributes:
        frames: frames of motion.
        repeated: those of them that show no face and repeat the motion before.
        keyframes: references, including keyframes at which one can join.
    """

    frames: int = 0
    repeated: int = 0
    keyframes: int = 0


class Encoder:
    """Turns the frames and the sound of one talking person into packets.

    Args:
        config: settings.
        fps: nominal frames a second.
        time_base: seconds in a tick of `pts`; by default the time of a frame.
        duration_s: seconds of the whole video, for a file; None in a call. A rate then holds over
            the whole file, and all frames before the first face are sent once a face comes.
        sound: whether sound will be given (`config.audio_kbps` must be set too).
        tracker: used instead of the default one, for tests or to share one. It is not closed.
        keypoints: used instead of what the network was trained with. It is not closed.

    Attributes:
        config: as given.
        header: what the STREAM packets carry.
        statistics: counts.

    Raises:
        ConfigError: settings that contradict each other.
        RateError: the rate is too low for motion, sound and one picture.
        WeightsError: the network or the tracker's model is missing, or the identity belongs to
            other weights.
        MissingExtraError: OpenCV is not installed, or mediapipe where `config.tracker` asks for it.
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
    ) -> None:
        self.config = config or EncoderConfig()
        self._duration = duration_s
        card = load_card(self.config.model)
        identity = self.config.identity
        if identity is not None:
            check_identity(card, identity)
        rate = round((self.config.audio_kbps or 0) * 1000)
        self._together = self.config.planned_together(duration_s)
        packet = self.config.sound_together(live=self._together == 0)
        wanted = sound and self.config.has_sound
        audio = AudioParameters(bitrate=rate, frame_ms=packet) if wanted else None
        self.header = StreamHeader(
            model=card.name,
            weights_sha256=card.sha256,
            width=self.config.size,
            height=self.config.size,
            fps=Fraction(fps),
            time_base=time_base or 1 / Fraction(fps),
            profile=self.config.profile,
            audio=audio,
            identity=None if identity is None else identity.id,
        )
        self._rate = RateControl(self.config, self.header, duration_s)
        self._keypoints = keypoints or _keypoint_source(card)
        self._owns_keypoints = keypoints is None
        self._smoothing = Smoothing(self.config.smoothing_strength)
        self._opus = OpusEncoder(rate, packet) if audio else None
        self._tracker = tracker or open_tracker(self.config.tracker)
        self._owns_tracker = tracker is None
        self._observer = Observer(
            self._tracker,
            self.config.size,
            partial(open_tracker, self.config.tracker, still=True) if self._owns_tracker else None,
            crop=self.config.crop,
            face=self.config.face,
        )
        self.reset()

    def reset(self) -> None:
        """Begin a new stream with the same settings. What was not returned yet is dropped."""
        self.statistics = EncoderStatistics()
        self._ready: list[Packet] = []
        self._observer.reset()
        self._smoothing.reset()
        if self._opus is not None:
            self._opus.reset()
        self._rate.reset()
        live = self._together == 0
        self._animation = Animation(
            self.config, self.header, self._rate.motion, self._keypoints, live=live
        )
        parts = (self._animation, self._rate, self._announce)
        self._live = LiveCoder(self.config, *parts) if live else None
        self._segment = SegmentCoder(self.config, self.header.fps, *parts)
        self._items: list[Item] = []
        self._until = self._together
        self._sequence = 0
        self._sounds = 0
        self._pts: int | None = None
        self._start = 0
        self._joined_pts = 0
        self._wanted = True
        self._introduce = True
        self._begun = False
        self._announced = False
        self._ended = False

    def request_refresh(self) -> None:
        """Make the next motion depend on the keyframe alone (a receiver has lost frames)."""
        self._animation.stream.refresh()

    def acknowledge(self, pts: int, references: Collection[int] | None = None) -> bool:
        """Report that the receiver has decoded a frame. Call it for every frame, or for some.

        From the first call on, motion depends on acknowledged frames alone, so that a lost packet
        breaks nothing after it.

        Args:
            pts: time of the frame in ticks of `header.time_base`.
            references: the receiver's `Decoder.references`. Once they were given, a new reference
                is used only after it appeared among them, so that a lost one is never used.

        Returns:
            Whether the frame counts. One that was never sent, or is older than another that was
            acknowledged, does not.
        """
        if references is not None:
            self._animation.confirm(references)
        return self._animation.stream.acknowledge(pts)

    def request_keyframe(self) -> None:
        """Make the next frame with a face a keyframe at which one can join (a receiver has lost
        its references, or is new).
        """
        self._wanted = True

    def request_identity(self) -> None:
        """Make the next call of `encode` send the identity again, if there is one (a receiver
        joined late, or lost a part of it).
        """
        self._introduce = True

    def encode(
        self, frame: Frame | None = None, pcm: Sound | None = None, pts: int | None = None
    ) -> list[Packet]:
        """Take the next frame, the next sound, or both.

        If it raises, the frame is not part of the stream, but the sound is (unless the sound was
        the reason). Its packets come with the next call, so nothing is lost by going on.

        Args:
            frame: uint8 RGB `[H, W, 3]` of any size, with a face.
            pcm: float32 mono at 16 kHz `[n]`, any n, on [-1, 1]. It continues the sound of the
                call before; the very first sample belongs to time 0.
            pts: the frame's time in ticks of `header.time_base`, later than the last frame's. By
                default it is one frame later, and 0 for the first frame.

        Returns:
            The packets that are ready, to be sent in this order. If seconds are planned together
            (`config.plan_ahead_s`), there are none for seconds, then many. Before the first face
            there is no motion; the motion of those frames follows with it.

        Raises:
            ConfigError: the frame is not as described, or its time is not later than the last.
            MediaError: the sound is not as described.
        """
        if not self._begun:
            self._ready.append(self._stream_packet(pts or 0))
            self._begun = True
            self._rate.count(self._ready)
        self._ready += self._identity_packets(pts or 0)
        if pcm is not None and self._opus is not None:
            self._ready += self._hear(self._opus.encode(pcm))
        if frame is not None:
            self._ready += self._see(frame, self._next_pts(pts))
        return self._take()

    def flush(self) -> list[Packet]:
        """Give the packets that still wait. Call it at the end; after it, `reset` begins anew.

        Raises:
            NoFaceError: there were frames, but none showed a face. It is raised once: another call
                gives the rest of the sound.
        """
        if not self._ended:
            self._ended = True
            self._finish()
            if self._pts is not None and not self._animation.begun:
                raise NoFaceError(
                    "no face was found in the whole video: it must show one, from the front or "
                    "half from the side, at least a fifteenth of the picture high"
                )
        return self._take()

    def close(self) -> None:
        """Free the tracker and the source of keypoints, unless the caller gave them."""
        self._observer.close()
        if self._owns_keypoints:
            self._keypoints.close()
        if self._owns_tracker:
            self._tracker.close()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish(self) -> None:
        """Code everything that waits."""
        sound = self._hear(self._opus.flush()) if self._opus is not None else []
        if self._live is None:
            end = self._duration if self._duration is not None else Fraction(0)
            sound += self._drain(max(end, self._end()))
        self._ready += self._animation.flush() + sound

    def _next_pts(self, pts: int | None) -> int:
        if pts is None:
            step = max(1, round(1 / self.header.fps / self.header.time_base))
            pts = 0 if self._pts is None else self._pts + step
        if self._pts is not None and pts <= self._pts:
            raise ConfigError(
                f"the frame at tick {pts} is not later than the one before, at tick {self._pts}"
            )
        return pts

    def _see(self, frame: Frame, pts: int) -> list[Packet]:
        last = self._pts
        step = 1 / self.header.fps if last is None else (pts - last) * self.header.time_base
        observed = self._observe(frame, pts, step)
        self._pts = pts
        if last is None:
            self._start = pts
        if observed.join:
            self._joined_pts, self._wanted = pts, False
        if self._live is not None:
            packets = self._live.code(observed, self._end())
            self._wanted |= not self._live.joined
            return packets
        packets = []
        full = self._end() > self._until or len(self._items) >= _MOST
        if self._items and (observed.join or full):
            packets = self._drain(self._end() - step)
        self._items.append(observed)
        return packets

    def _observe(self, frame: Frame, pts: int, step: Fraction) -> ObservedFrame:
        """Track a frame that comes `step` seconds after the last one."""
        time_ms = round(pts * self.header.time_base * 1000)
        seen, changed = self._observer.observe(frame, float(step), time_ms)
        if seen is None:
            unseen = self._observer.unseen(frame, time_ms)
            view = None if unseen is None else View.of(unseen, faceless=True)
            return ObservedFrame(pts, view)
        seen = self._smoothing.push(seen, anew=changed)
        # A 16-bit pts cannot express so long a pause; a keyframe carries the full time.
        far = self._pts is not None and pts - self._pts >= _FAR
        return ObservedFrame(pts, View.of(seen), join=far or self._is_due(pts, changed))

    def _drain(self, end: Fraction) -> list[Packet]:
        """Code the frames and the sound that wait, up to `end` seconds."""
        packets = self._segment.code(self._items, end)
        self._wanted |= not self._segment.joined
        self._items, self._until = [], end + self._together
        return packets

    def _hear(self, coded: list[bytes]) -> list[Packet]:
        """Take coded sound; the packets that are ready."""
        packets = [self._audio_packet(data) for data in coded]
        if self._live is None:
            self._items += packets
            return self._drain(self._end()) if len(self._items) >= _MOST else []
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
        if self._wanted or changed:
            return True
        if interval == "auto":
            return False
        return (pts - self._joined_pts) * self.header.time_base >= interval

    def _take(self) -> list[Packet]:
        """The packets that are ready, numbered."""
        packets, self._ready = self._ready, []
        first, self._sequence = self._sequence, self._sequence + len(packets)
        done = self._animation
        self.statistics = EncoderStatistics(done.frames, done.repeated, done.references)
        return [
            replace(packet, sequence=(first + index) % WRAP) for index, packet in enumerate(packets)
        ]

    def _stream_packet(self, pts: int) -> Packet:
        return self.header.to_packet(0, pts)

    def _announce(self, pts: int) -> list[Packet]:
        """What goes before a join keyframe. The first one needs nothing more than the stream."""
        before, self._announced = self._announced, True
        if not before:
            return []
        self._rate.count_entry()
        return [self._stream_packet(pts)]

    def _identity_packets(self, pts: int) -> list[Packet]:
        """The identity, if there is one that is still to be sent."""
        wanted, self._introduce = self._introduce, False
        if self.config.identity is None or not wanted:
            return []
        return introduce(self.config.identity, 0, pts)

    def _audio_packet(self, data: bytes) -> Packet:
        number, self._sounds = self._sounds, self._sounds + 1
        return Packet(Kind.AUDIO, Flags.INTRA, 0, 0, number % WRAP, data)


def _keypoint_source(card: Card) -> KeypointSource:
    """What the network was trained with: the closed form of the mesh, or a detector of its own."""
    if card.config.get("keypoint_mode", "mesh") == "mesh":
        return MeshSource(card.face_table())
    from ..models.avfr.detector_source import DetectorSource

    return DetectorSource(card.folder)
