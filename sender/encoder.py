"""`Encoder`: frames and sound in, packets out. Push-style; no thread, no clock, no event loop.

frame → track → follow → crop ─┬→ LiveCoder ────→ keypoints → MOTION, references → KEYFRAME
                               └→ SegmentCoder ─→ the same, seconds of it planned together
sound → Opus → AUDIO
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

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
from .observed import ObservedFrame
from .rate import RateControl
from .segment import Item, SegmentCoder
from .tracking.finder import FaceTracker
from .tracking.observer import Observer
from .tracking.smoothing import Smoothing
from .tracking.tracker import Tracker

__all__ = ["Encoder", "EncoderStatistics"]

_WRAP = 1 << 16
_MOST = 1000  # frames and packets of sound that wait at most, at any frame rate
_FAR = 1 << 15  # ticks: a jump that a 16-bit pts cannot tell from one backwards

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


@dataclass(slots=True)
class EncoderStatistics:
    """What was sent so far.

    Attributes:
        frames: motion frames.
        repeated: frames among them without the face, which repeat the motion before.
        keyframes: references, those included from which one can join.
    """

    frames: int = 0
    repeated: int = 0
    keyframes: int = 0


class Encoder:
    """Turns the frames and the sound of one talking person into packets.

    Args:
        config: settings.
        fps: nominal frames a second.
        time_base: seconds of a tick of `pts`; by default a frame.
        duration_s: of the whole video where it is known (a file): a rate then holds over all of
            it, and frames before the first face are sent, however many, once a face comes.
        sound: whether sound will be given (`config.audio_kbps` must be set too).
        tracker: in place of MediaPipe's; for tests, or to share one. It is not closed.
        keypoints: in place of what the network was trained with. It is not closed.

    Attributes:
        config: as given.
        header: what the STREAM packets carry.
        statistics: counts.

    Raises:
        ConfigError: settings that make no sense.
        RateError: a rate below the floor.
        WeightsError: the network or the tracker's model is not there, or the identity belongs
            to other weights.
        MissingExtraError: mediapipe is not installed.
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
        self._lookahead = self.config.look_ahead(duration_s)
        packet = self.config.sound_together(live=self._lookahead == 0)
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
        self._tracker: FaceTracker = tracker or Tracker()
        self._owns_tracker = tracker is None
        still = _still_tracker if self._owns_tracker else None
        self._observer = Observer(self._tracker, self.config.size, still, crop=self.config.crop)
        self.reset()

    def reset(self) -> None:
        """Begin a new stream with the same settings."""
        self.statistics = EncoderStatistics()
        self._observer.reset()
        self._smoothing.reset()
        if self._opus is not None:
            self._opus.reset()
        self._rate.reset()
        live = self._lookahead == 0
        self._animation = Animation(
            self.config, self.header, self._rate.motion, self._keypoints, live=live
        )
        parts = (self._animation, self._rate, self._announce)
        self._live = LiveCoder(self.config, *parts) if live else None
        self._segment = SegmentCoder(self.config, self.header.fps, *parts)
        self._items: list[Item] = []
        self._until = self._lookahead
        self._sequence = 0
        self._sounds = 0
        self._pts: int | None = None
        self._start = 0
        self._joined_pts = 0
        self._wanted = True
        self._introduce = True
        self._begun = False
        self._announced = False

    def request_refresh(self) -> None:
        """The next motion stands on the keyframe alone (a receiver misses frames before it)."""
        self._animation.stream.refresh()

    def acknowledge(self, pts: int, references: Collection[int] | None = None) -> bool:
        """The receiver has decoded the frame of that time, in ticks of `header.time_base`.

        From the first one on, motion stands on acknowledged frames alone, so that a lost packet
        breaks nothing after it. Call it for each, or for some.

        Args:
            pts: of the frame.
            references: what the receiver's `Decoder.references` says. From the first time on, new
                references serve only once they are among them: none is missed that was lost.

        Returns:
            Whether the frame was taken; those that were never sent are left aside.
        """
        if references is not None:
            self._animation.confirm(references)
        return self._animation.stream.acknowledge(pts)

    def request_keyframe(self) -> None:
        """The next frame with a face becomes a keyframe from which one can join (a receiver has
        lost its own).
        """
        self._wanted = True

    def request_identity(self) -> None:
        """The next call of `encode` sends the identity again, where there is one (a receiver
        joined late, or lost a part of it).
        """
        self._introduce = True

    def encode(
        self, frame: Frame | None = None, pcm: Sound | None = None, pts: int | None = None
    ) -> list[Packet]:
        """Take the next frame, the next sound, or both.

        Args:
            frame: uint8 RGB `[H, W, 3]` of any size, with a face.
            pcm: float32 mono at 16 kHz `[n]`, any n, on [-1, 1], going on where the last ended;
                the first sample belongs to time 0.
            pts: the frame's time in ticks of `header.time_base`, more than the last one's; by
                default one frame after it, the first at 0.

        Returns:
            The packets that are ready, to be sent in this order: with `config.lookahead` none
            for seconds, then many. Until the first face there is no motion; what was shown till
            then follows with it.

        Raises:
            ConfigError: not such a frame, or time that does not go forward.
            MediaError: not such sound.
        """
        packets: list[Packet] = []
        if not self._begun:
            packets = [self._stream_packet(pts or 0)]
            self._begun = True
            self._rate.count(packets)
        packets += self._identity_packets(pts or 0)
        if pcm is not None and self._opus is not None:
            packets += self._hear(self._opus.encode(pcm))
        if frame is not None:
            packets += self._see(frame, self._next_pts(pts))
        return self._sent(packets)

    def flush(self) -> list[Packet]:
        """The rest of the sound; to be called at the end. After it, `reset` begins anew.

        Raises:
            NoFaceError: there were frames, and no face in any of them.
        """
        packets = self._hear(self._opus.flush()) if self._opus is not None else []
        if self._live is None:
            end = self._duration if self._duration is not None else Fraction(0)
            packets += self._drain(max(end, self._end()))
        if self._pts is not None and not self._animation.begun:
            raise NoFaceError(
                "no face was found in the whole video: it must show one, from the front or half "
                "from the side, at least a fifteenth of the picture high"
            )
        return self._sent(self._animation.flush() + packets)

    def close(self) -> None:
        """Free the tracker, and what made the keypoints; those that were given are not closed."""
        self._observer.close()
        if self._owns_keypoints:
            self._keypoints.close()
        if self._owns_tracker:
            self._tracker.close()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _next_pts(self, pts: int | None) -> int:
        if pts is None:
            step = max(1, round(1 / self.header.fps / self.header.time_base))
            pts = 0 if self._pts is None else self._pts + step
        if self._pts is not None and pts <= self._pts:
            raise ConfigError(f"time goes forward: a frame at tick {pts} after one at {self._pts}")
        return pts

    def _see(self, frame: Frame, pts: int) -> list[Packet]:
        last, self._pts = self._pts, pts
        if last is None:
            self._start = pts
        step = 1 / self.header.fps if last is None else (pts - last) * self.header.time_base
        time_ms = round(pts * self.header.time_base * 1000)
        seen, changed = self._observer.observe(frame, float(step), time_ms)
        if seen is not None:
            seen = self._smoothing.push(seen, anew=changed)
        # Over so long a pause a 16-bit pts says too little; a keyframe carries the whole one.
        far = last is not None and pts - last >= _FAR
        moment = ObservedFrame(pts, seen, seen is not None and (self._is_due(pts, changed) or far))
        if moment.join:
            self._joined_pts, self._wanted = pts, False
        if self._live is not None:
            packets = self._live.code(moment, self._end())
            self._wanted |= not self._live.joined
            return packets
        packets = []
        full = self._end() > self._until or len(self._items) >= _MOST
        if self._items and (moment.join or full):
            packets = self._drain(self._end() - step)
        self._items.append(moment)
        return packets

    def _drain(self, end: Fraction) -> list[Packet]:
        """Code what was looked ahead at, up to `end` seconds."""
        packets = self._segment.code(self._items, end)
        self._wanted |= not self._segment.joined
        self._items, self._until = [], end + self._lookahead
        return packets

    def _hear(self, coded: list[bytes]) -> list[Packet]:
        packets = [self._audio_packet(data) for data in coded]
        if self._live is None:
            self._items += packets
            return self._drain(self._end()) if len(self._items) >= _MOST else []
        self._rate.count(packets)
        return packets

    def _end(self) -> Fraction:
        """Seconds from the first frame's time to the end of the last one."""
        if self._pts is None:
            return Fraction(0)
        return (self._pts - self._start) * self.header.time_base + 1 / self.header.fps

    def _is_due(self, pts: int, changed: bool) -> bool:
        interval = self.config.keyframe_interval
        # Somebody else, or another scene: nobody's picture is driven by another's face.
        if self._wanted or changed:
            return True
        if interval == "auto":
            return False
        return (pts - self._joined_pts) * self.header.time_base >= interval

    def _sent(self, packets: list[Packet]) -> list[Packet]:
        """The same, numbered, and counted."""
        first, self._sequence = self._sequence, self._sequence + len(packets)
        done = self._animation
        self.statistics = EncoderStatistics(done.frames, done.repeated, done.references)
        return [
            replace(packet, sequence=(first + index) % _WRAP)
            for index, packet in enumerate(packets)
        ]

    def _stream_packet(self, pts: int) -> Packet:
        return self.header.to_packet(0, pts)

    def _announce(self, pts: int) -> list[Packet]:
        """What goes before a keyframe from which one can join; the stream's beginning has it."""
        before, self._announced = self._announced, True
        if not before:
            return []
        self._rate.count_entry()
        return [self._stream_packet(pts)]

    def _identity_packets(self, pts: int) -> list[Packet]:
        """The identity, where there is one and it is not sent yet."""
        wanted, self._introduce = self._introduce, False
        if self.config.identity is None or not wanted:
            return []
        return introduce(self.config.identity, 0, pts)

    def _audio_packet(self, data: bytes) -> Packet:
        number, self._sounds = self._sounds, self._sounds + 1
        return Packet(Kind.AUDIO, Flags.INTRA, 0, 0, number % _WRAP, data)


def _still_tracker() -> Tracker:
    return Tracker(still=True)


def _keypoint_source(card: Card) -> KeypointSource:
    """What the network was trained with: the mesh's closed form, or its own detector."""
    if card.config.get("keypoint_mode", "mesh") == "mesh":
        return MeshSource(card.face_table())
    from ..models.avfr.detector_source import DetectorSource

    return DetectorSource(card.folder)
