"""`EncoderConfig`: everything that can be set about sending."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..codec.errors import ConfigError
from ..codec.identity import Identity
from ..codec.motion.entropy import MAX_FRAMES
from ..codec.motion.profiles import STATELESS, MotionSettings, find_profile, motion_writer
from .photo import Portrait
from .tracking.follow import FACE_CHOICES, FaceChoice
from .tracking.trackers import TRACKERS, TrackerName

__all__ = ["DRIVERS", "MAX_PICTURE", "MAX_REFERENCES", "EncoderConfig", "KeyframeInterval"]

KeyframeInterval = float | Literal["auto"]

DRIVERS = ("camera", "sound")
"""What may move a portrait."""
MAX_PICTURE = 60_000
"""Bytes of a reference's picture, at most."""
MAX_REFERENCES = 4
_MIN_PICTURE = 200
_MOST_FACES = 99
_PLAN_AHEAD_S = Fraction(10)
_NARROW_KBPS = 32
_LONG_SOUND_KBPS = 64  # up to this, 120 ms of sound fit a datagram


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Settings of an `Encoder`.

    Attributes:
        profile: how motion is coded: "fp16" takes 960 bits a frame, "entropy" 26 to 58. With
            "pose", about 12 bits tell how the head is turned and how open the eyes are, and the
            receiver moves the mouth with the sound; "pose-fp16" is its plain form of 80 bits.
        motion: quantiser step and dead zone of profiles "entropy" and "pose", or "auto": step 3,
            and with "entropy" a coarser one if a rate is set and motion would take more than 18 %
            of what sound leaves of it (`RateControl.motion`).
        bundle: frames in a MOTION packet of profiles "entropy" and "pose". More frames need fewer
            headers and delay the first of them longer. "auto" is one second of frames in a file.
            In a call with a clock, the rate decides how long a packet lasts (`rate/ladder.py`).
            Without a clock it is an eighth of a second if a rate below 32 kbps is set, which delays
            nothing, because the network waits longer for sound (`Decoder.delay_ms`); otherwise it
            is one frame.
        refresh_interval: seconds between frames that depend on the keyframe alone. If the
            receiver acknowledges nothing, a lost packet can be seen for this long.
        smoothing: strength of the smoothing of the tracked face (`smoothing.py`): 0 is none, 1
            suits the tracker's noise, and more (up to 10) is steadier but lags more. "auto" is 1
            with profiles "entropy" and "pose", where it saves bits and costs the picture nothing,
            and 0 with the others. It has no effect on a network that has its own keypoint detector.
        bpp: bits a pixel of everything that is written, or None. Profile and `audio_kbps` decide
            what motion and sound take; references get the rest.
        kbps: the same in 1000 bits a second. Give one of the two at most.
        audio_kbps: target rate of the sound; 0 or None leaves it out. Wideband begins at 10.
        keyframe_interval: seconds between keyframes at which one can join or seek, or "auto":
            only where one is needed. Whatever the setting, the first frame becomes one, and so
            does the first frame after a cut or of another person: nobody's picture is driven by
            another person's face.
        keyframe_bytes: size of a reference's picture where no rate is set.
        references: how many references the receiver keeps for this stream, 1 to 4. With more than
            1, frames between the keyframes become references where that pays; if a rate is set,
            they get what motion and sound leave of it.
        base: whether a base layer may be added, where the rate is more than motion and references
            can use well: False, True (in files), or "calls" (in calls too, whose receivers should
            know it). It helps faces that the network draws badly and harms others
            (`docs/rate.md`), so it is not on by itself.
        plan_ahead_s: seconds of video that are planned together, 0 to 30. Packets wait for that
            long. "auto" is 10 in a file (the file is cut into equal parts of 10 s at most) and 0
            in a call, where every frame is coded at once.
        size: side of the coded picture in pixels; the shipped networks want 256.
        crop: cut the head out of the frame. Without, the frame is taken whole, and must be a
            square head crop already.
        face: which of several faces is sent: "largest", "centre" (the one nearest to the middle of
            the frame), "moving" (a face that moves before one that does not, such as a portrait on
            a shared slide), or its number from the left, counted from 1.
        tracker: "openvino", the tracker of facewire, or "mediapipe", MediaPipe's own. Both run the
            same networks and find the same. Newer releases of MediaPipe report to Google while
            they track.
        model: the receiver's network: a shipped size, or the folder of its weights.
        identity: what that network learned of the person (`facewire enroll`), or None. It is sent
            once, at the start, in addition to the rate.
        portrait: a picture that is shown in place of the camera's, moved as the face before the
            camera moves, or None. It is for one's own picture; somebody else's needs his consent,
            which `Portrait` carries. Nothing of the camera's pictures is sent then.
        driver: what moves the portrait: "camera", the face before it; or "sound": nobody is before
            a camera, the mouth follows the sound, and head and lids move by themselves
            (`performing/`). Frames then only say when there is one, whatever they show, and the
            stream is marked (`StreamHeader.performed`).
        seed: of the movements that come by themselves, 0 to 2^32 - 1.

    Raises:
        ConfigError: a value is out of range, or two settings contradict each other.
        UnsupportedError: an unknown profile.
    """

    profile: str = "entropy"
    motion: MotionSettings | Literal["auto"] = "auto"
    bundle: int | Literal["auto"] = "auto"
    refresh_interval: float = 2.0
    smoothing: float | Literal["auto"] = "auto"
    bpp: float | None = None
    kbps: float | None = None
    audio_kbps: float | None = 10.0
    keyframe_interval: KeyframeInterval = "auto"
    keyframe_bytes: int = 3000
    references: int = MAX_REFERENCES
    base: bool | Literal["calls"] = False
    plan_ahead_s: float | Literal["auto"] = "auto"
    size: int = 256
    crop: bool = True
    face: FaceChoice = "largest"
    tracker: TrackerName = "openvino"
    model: str = "s"
    identity: Identity | None = None
    portrait: Portrait | None = None
    driver: Literal["camera", "sound"] = "camera"
    seed: int = 0

    def __post_init__(self) -> None:
        find_profile(self.profile)
        if isinstance(self.motion, MotionSettings):
            motion_writer(self.profile, self.motion)
        elif self.motion != "auto":
            raise ConfigError(f"motion is MotionSettings or 'auto', not {self.motion!r}")
        if self.bundle != "auto" and not 1 <= self.bundle <= MAX_FRAMES:
            raise ConfigError(f"a motion packet holds 1 to {MAX_FRAMES} frames, not {self.bundle}")
        if not 0 < self.refresh_interval <= 86_400:
            raise ConfigError(
                f"refresh_interval is above 0 and at most 86400 s, not {self.refresh_interval:g}"
            )
        strength = self.smoothing_strength
        if isinstance(strength, str) or not 0 <= strength <= 10:
            raise ConfigError(f"smoothing is 0 (none) to 10 or 'auto', not {strength!r}")
        if self.bpp is not None and self.kbps is not None:
            raise ConfigError("give a rate either as bpp or as kbps, not both")
        for name, rate in (("bpp", self.bpp), ("kbps", self.kbps)):
            if rate is not None and not 0 < rate < 1e6:
                raise ConfigError(f"a rate lies between 0 and 1000000 {name}, not at {rate:g}")
        if self.base not in (True, False, "calls"):
            raise ConfigError(f"base is True, False or 'calls', not {self.base!r}")
        if self.portrait is not None and self.base:
            raise ConfigError(
                "a base layer shows the camera's own pictures: it does not go with a portrait"
            )
        if self.driver not in DRIVERS:
            raise ConfigError(f"the driver is 'camera' or 'sound', not {self.driver!r}")
        if self.driver == "sound" and (self.portrait is None or not self.has_sound):
            raise ConfigError("sound moves a portrait: give a portrait, and a rate of the sound")
        if not 0 <= self.seed < 1 << 32:
            raise ConfigError(f"a seed is 0 to {(1 << 32) - 1}, not {self.seed}")
        if self.audio_kbps and not 0.5 <= self.audio_kbps <= 128:
            raise ConfigError(
                f"sound takes 0.5 to 128 kbps, so that a packet fits a datagram, not "
                f"{self.audio_kbps:g}; 0 leaves the sound out"
            )
        interval = self.keyframe_interval
        if isinstance(interval, str) and interval != "auto":
            raise ConfigError(
                f"a keyframe interval is a number of seconds or 'auto', not {interval!r}"
            )
        if isinstance(interval, int | float) and not 0.1 <= interval <= 86_400:
            raise ConfigError(f"keyframes come every 0.1 to 86400 seconds, not {interval:g}")
        if not _MIN_PICTURE <= self.keyframe_bytes <= MAX_PICTURE:
            raise ConfigError(
                f"a keyframe's picture takes {_MIN_PICTURE} to {MAX_PICTURE} bytes, "
                f"not {self.keyframe_bytes}"
            )
        if not 1 <= self.references <= MAX_REFERENCES:
            raise ConfigError(
                f"a receiver keeps 1 to {MAX_REFERENCES} references, not {self.references}"
            )
        if self.plan_ahead_s != "auto" and not 0 <= self.plan_ahead_s <= 30:
            raise ConfigError(f"plan 0 to 30 seconds ahead, not {self.plan_ahead_s:g}")
        if isinstance(self.face, int):
            if not 1 <= self.face <= _MOST_FACES:
                raise ConfigError(f"faces are counted from 1 to {_MOST_FACES}, not {self.face}")
        elif self.face not in FACE_CHOICES:
            raise ConfigError(
                f"the face is 'largest', 'centre', 'moving' or a number, not {self.face!r}"
            )
        if self.tracker not in TRACKERS:
            names = " or ".join(map(repr, TRACKERS))
            raise ConfigError(f"the tracker is {names}, not {self.tracker!r}")
        if not 64 <= self.size <= 1024 or self.size % 2:
            raise ConfigError(
                f"the side of the coded picture is an even number of 64 to 1024, not {self.size}"
            )

    @property
    def smoothing_strength(self) -> float:
        """`smoothing`, with "auto" resolved."""
        if self.smoothing == "auto":
            return 0.0 if self.profile in STATELESS else 1.0
        return self.smoothing

    def frames_together(
        self, fps: Fraction, *, live: bool, bytes_per_second: float | None = None
    ) -> int:
        """Frames in a MOTION packet: `bundle`, with "auto" resolved; `bytes_per_second` takes the
        place of the rate that is set here.
        """
        if self.profile in STATELESS:
            return 1
        if self.bundle != "auto":
            return self.bundle
        if not live:
            return min(max(1, round(fps)), MAX_FRAMES)
        rate = self.rate_kbps(fps) if bytes_per_second is None else bytes_per_second / 125
        return 1 if rate is None or rate >= _NARROW_KBPS else min(max(1, int(fps / 8)), MAX_FRAMES)

    def rate_kbps(self, fps: Fraction) -> float | None:
        """The rate that is set, in 1000 bits a second; None if there is none."""
        if self.bpp is not None:
            return self.bpp * self.size**2 * float(fps) / 1000
        return self.kbps

    def planned_together(self, duration_s: Fraction | None) -> Fraction:
        """Seconds that are planned together: `plan_ahead_s`, with "auto" resolved.

        Args:
            duration_s: of the whole video, None in a call.
        """
        if self.plan_ahead_s != "auto":
            return Fraction(self.plan_ahead_s).limit_denominator(1000)
        if duration_s is None:
            return Fraction(0)
        return max(duration_s, Fraction(1)) / max(1, math.ceil(duration_s / _PLAN_AHEAD_S))

    def sound_together(self, *, live: bool) -> int:
        """Milliseconds in an Opus packet: 120, the most there is, in files, to save headers."""
        return 40 if live or (self.audio_kbps or 0) > _LONG_SOUND_KBPS else 120

    @property
    def has_sound(self) -> bool:
        """Whether sound is coded."""
        return bool(self.audio_kbps)
