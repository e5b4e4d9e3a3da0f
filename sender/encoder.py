"""`Encoder`: frames and sound in, packets out. Push-style; no thread, no clock, no event loop.

frame → track → follow → crop → keypoints → MOTION  (and now and then STREAM, KEYFRAME)
sound → Opus → AUDIO
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..codec.audio import OpusEncoder
from ..codec.errors import ConfigError, MotionError, NoFaceError
from ..codec.introduction import introduce
from ..codec.keyframe import Keyframe, encode_picture
from ..codec.motion import MotionFrame
from ..codec.packet import Flags, Kind, Packet
from ..codec.stream import AudioParameters, StreamHeader
from ..models.mesh import select_points
from ..models.shape import pack_shape
from ..models.weights import Card, check_identity, load_card
from .config import EncoderConfig
from .finder import FaceTracker
from .keypoints import KeypointSource, MeshSource, Observation
from .motion_stream import MotionPayload, MotionStream
from .observer import Observer
from .rate import KeyframeBudget, plan_keyframes
from .smoothing import SmoothedSource
from .tracker import Tracker

__all__ = ["Encoder", "EncoderStatistics"]

_WRAP = 1 << 16
_FAR = 1 << 15  # ticks: a jump that a 16-bit pts cannot tell from one backwards
_WAITING = 250  # frames of a call that are kept for a face to come

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


@dataclass(slots=True)
class EncoderStatistics:
    """What was sent so far.

    Attributes:
        frames: motion frames.
        repeated: frames among them without the face, which repeat the motion before.
        keyframes: keyframes.
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
        keypoints: in place of the mesh's closed form.

    Attributes:
        config: as given.
        header: what the STREAM packets carry.
        statistics: counts.

    Raises:
        ConfigError: settings that make no sense; a rate below the floor.
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
        packet = self.config.sound_together(live=duration_s is None)
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
        self._stream_payload = len(self.header.to_payload())
        self._budget: KeyframeBudget = plan_keyframes(self.config, self.header, duration_s)
        self._keypoints = keypoints or _keypoint_source(card, self.config.smoothing_strength)
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
        if self._opus is not None:
            self._opus.reset()
        self._stream = self._motion_stream()
        self._sequence = 0
        self._sounds = 0
        self._pts: int | None = None
        self._motion: MotionFrame | None = None
        self._keyframe_pts = 0
        self._wanted = True
        self._introduce = True
        self._begun = False
        self._waiting: list[int] = []

    def request_refresh(self) -> None:
        """The next motion stands on the keyframe alone (a receiver misses frames before it)."""
        self._stream.refresh()

    def acknowledge(self, pts: int) -> bool:
        """The receiver has decoded the frame of that time, in ticks of `header.time_base`.

        From the first one on, motion stands on acknowledged frames alone, so that a lost packet
        breaks nothing after it. Call it for each, or for some.

        Returns:
            Whether it was taken; frames that were never sent are left aside.
        """
        return self._stream.acknowledge(pts)

    def request_keyframe(self) -> None:
        """The next frame with a face becomes a keyframe (a receiver has lost its own)."""
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
            The packets that are ready, to be sent in this order. Until the first face there is
            no motion; what was shown till then follows with it.

        Raises:
            ConfigError: not such a frame, or time that does not go forward.
            MediaError: not such sound.
        """
        fresh = not self._begun
        packets = [self._stream_packet(pts or 0)] if fresh else []
        self._begun = True
        packets += self._identity_packets(pts or 0)
        if pcm is not None and self._opus is not None:
            packets += [self._audio_packet(data) for data in self._opus.encode(pcm)]
        if frame is not None:
            packets += self._encode_frame(frame, self._next_pts(pts), fresh=fresh)
        return packets

    def flush(self) -> list[Packet]:
        """The rest of the sound; to be called at the end. After it, `reset` begins anew.

        Raises:
            NoFaceError: there were frames, and no face in any of them.
        """
        if self._pts is not None and self._motion is None:
            raise NoFaceError(
                "no face was found in the whole video: it must show one, from the front or half "
                "from the side, at least a fifteenth of the picture high"
            )
        packets = self._motion_packets(self._stream.flush())
        sounds = self._opus.flush() if self._opus is not None else []
        return packets + [self._audio_packet(data) for data in sounds]

    def close(self) -> None:
        """Free the tracker."""
        self._observer.close()
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

    def _encode_frame(self, frame: Frame, pts: int, *, fresh: bool) -> list[Packet]:
        last, self._pts = self._pts, pts
        step = 1 / self.header.fps if last is None else (pts - last) * self.header.time_base
        time_ms = round(pts * self.header.time_base * 1000)
        seen, changed = self._observer.observe(frame, float(step), time_ms)
        if seen is None:
            return self._repeat(pts)
        # Over so long a pause a 16-bit pts says too little; a keyframe carries the whole one.
        far = last is not None and pts - last >= _FAR
        try:
            if self._is_due(pts, changed) or far:
                return self._encode_keyframe(seen, pts, fresh=fresh)
            self._motion = self._keypoints.motion(seen)
        except MotionError:  # a mesh so distorted that its numbers do not fit: as if not found
            self._wanted |= changed
            return self._repeat(pts)
        return self._send(self._motion, pts)

    def _is_due(self, pts: int, changed: bool) -> bool:
        interval = self.config.keyframe_interval
        # Somebody else, or another scene: nobody's picture is driven by another's face.
        if self._wanted or self._motion is None or changed:
            return True
        if interval == "auto":
            return False
        return (pts - self._keyframe_pts) * self.header.time_base >= interval

    def _repeat(self, pts: int) -> list[Packet]:
        """A frame without the face shows the last one that had it."""
        if self._motion is None:
            self._waiting.append(pts)
            if self._duration is None:
                del self._waiting[:-_WAITING]
            return []
        self.statistics.repeated += 1
        return self._send(self._motion, pts)

    def _encode_keyframe(self, seen: Observation, pts: int, *, fresh: bool) -> list[Packet]:
        motion = self._keypoints.keyframe(seen)
        shape = pack_shape(select_points(seen.landmarks))
        room = self._budget.picture_bytes(self._stream_payload, len(shape))
        if self.statistics.keyframes and self.config.keyframe_interval == "auto":
            room = min(room, self.config.keyframe_bytes)  # the rate was spent on the first
        # Frames before the first face show it too: the keyframe is as early as they are.
        first = self._waiting[0] if self._waiting else pts
        # A call does not end because a picture is harder than the rate allows for.
        picture = encode_picture(seen.picture, max_bytes=room, smallest=True)
        keyframe = Keyframe(self.statistics.keyframes % 16, first, motion, shape, picture)
        packets = self._motion_packets(self._stream.flush())
        packets += [] if fresh else [self._stream_packet(first)]
        fragments = keyframe.to_packets(self._sequence)
        self._sequence += len(fragments)
        packets += fragments
        self.statistics.keyframes += 1
        self._stream.begin(keyframe.id, motion)
        self._motion, self._keyframe_pts, self._wanted = motion, pts, False
        self.statistics.repeated += len(self._waiting)
        for at in (*self._waiting, pts):
            packets += self._send(motion, at)
        self._waiting.clear()
        return packets

    def _number(self) -> int:
        self._sequence += 1
        return (self._sequence - 1) % _WRAP

    def _stream_packet(self, pts: int) -> Packet:
        return self.header.to_packet(self._number(), pts)

    def _identity_packets(self, pts: int) -> list[Packet]:
        """The identity, where there is one and it is not sent yet."""
        wanted, self._introduce = self._introduce, False
        if self.config.identity is None or not wanted:
            return []
        packets = introduce(self.config.identity, self._sequence, pts)
        self._sequence += len(packets)
        return packets

    def _motion_stream(self) -> MotionStream:
        config, header = self.config, self.header
        bundle = config.frames_together(header.fps, live=self._duration is None)
        refresh = Fraction(config.refresh_interval).limit_denominator(1000) / header.time_base
        return MotionStream(config.profile, config.motion, bundle, refresh)

    def _send(self, motion: MotionFrame, pts: int) -> list[Packet]:
        self.statistics.frames += 1
        return self._motion_packets(self._stream.push(motion, pts))

    def _motion_packets(self, payloads: list[MotionPayload]) -> list[Packet]:
        return [
            Packet(
                Kind.MOTION,
                Flags.SYNTHETIC | (Flags.INTRA if payload.intra else Flags.NONE),
                (self.statistics.keyframes - 1) % 16,
                self._number(),
                payload.pts % _WRAP,
                payload.data,
            )
            for payload in payloads
        ]

    def _audio_packet(self, data: bytes) -> Packet:
        reference = max(self.statistics.keyframes - 1, 0) % 16
        number, self._sounds = self._sounds, self._sounds + 1
        return Packet(Kind.AUDIO, Flags.INTRA, reference, self._number(), number % _WRAP, data)


def _still_tracker() -> Tracker:
    return Tracker(still=True)


def _keypoint_source(card: Card, smoothing: float) -> KeypointSource:
    """What the network was trained with: the mesh's closed form, or its own detector."""
    if card.config.get("keypoint_mode", "mesh") == "mesh":
        source = MeshSource(card.face_table())
        return SmoothedSource(source, smoothing) if smoothing else source
    from .detector import DetectorSource

    return DetectorSource(card.folder)
