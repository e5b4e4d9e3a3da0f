"""`EncoderConfig`: everything that can be set about sending."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from ..codec.errors import ConfigError
from ..codec.identity import Identity
from ..codec.motion.entropy import MAX_FRAMES
from ..codec.motion.profiles import MotionSettings, Profile, find_profile, motion_writer

__all__ = ["MAX_REFERENCES", "EncoderConfig", "KeyframeInterval"]

KeyframeInterval = float | Literal["auto"]

_MIN_PICTURE, _MAX_PICTURE = 200, 60_000
MAX_REFERENCES = 4
_LOOKAHEAD = Fraction(10)
_NARROW_KBPS = 32
_LONG_SOUND_KBPS = 64  # up to this, 120 ms of sound fit a datagram


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Settings of an `Encoder`.

    Attributes:
        profile: how motion is coded: "fp16", 960 bits a frame, or "entropy", 20 to 50.
        motion: quantiser step and dead zone of profile "entropy", or "auto": step 3, where a rate
            is set a coarser one if motion would take more than 18 % of what sound leaves
            (`RateControl.motion`).
        bundle: frames of a MOTION packet of profile "entropy", or "auto": one second of them in
            a file; in a call an eighth of a second where a rate below 32 kbps is set, else one.
            Fewer headers, and so many frames of delay: an eighth of a second of motion is there
            before the sound is that the network hears with it (`Decoder.delay_ms`).
        refresh_interval: seconds from one frame that stands on the keyframe alone to the next:
            so long a lost packet can be seen where nothing is acknowledged.
        smoothing: of the tracked face (`smoothing.py`): 0 is none, 1 suits the tracker's noise,
            more (to 10) is steadier and later. "auto": 1 with profile "entropy", where it saves
            bits and costs the picture nothing, 0 with "fp16". A network with a detector of its
            own has none.
        bpp: bits a pixel of all that is written, or None. Motion and sound are given by profile
            and `audio_kbps`; what remains goes into the keyframe.
        kbps: the same in 1000 bits a second; give at most one of the two.
        audio_kbps: target of the sound; 0 or None leaves it out. Wideband begins at 10.
        keyframe_interval: seconds between keyframes from which one can join or seek, or "auto":
            only where one is needed. The first frame needs one, and with any setting so do a
            cut and somebody else: nobody's picture is driven by another's face.
        keyframe_bytes: size of a reference's picture where no rate is set.
        references: how many the receiver keeps for this stream, 1 to 4. With more than 1, frames
            between the keyframes become references where that pays: with a rate, what motion and
            sound leave of it goes into them.
        lookahead: seconds that are planned together, or "auto": 10 in a file (shared out evenly
            over its length), none in a call. So long packets wait.
        size: side of the coded picture in pixels; the shipped networks want 256.
        crop: cut the head out of the frame; without, the frame is taken whole (it is a head crop
            already, and square).
        model: network of the receiver: a shipped size, or the folder of its weights.
        identity: what that network learned of the person (`facewire enroll`), or None. It is sent
            once, at the start, and comes on top of a rate.

    Raises:
        ConfigError: a value that makes no sense.
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
    lookahead: float | Literal["auto"] = "auto"
    size: int = 256
    crop: bool = True
    model: str = "s"
    identity: Identity | None = None

    def __post_init__(self) -> None:
        find_profile(self.profile)
        if isinstance(self.motion, MotionSettings):
            motion_writer(self.profile, self.motion)
        elif self.motion != "auto":
            raise ConfigError(f"motion is MotionSettings or 'auto', not {self.motion!r}")
        if self.bundle != "auto" and not 1 <= self.bundle <= MAX_FRAMES:
            raise ConfigError(f"a packet holds 1 to {MAX_FRAMES} frames, not {self.bundle}")
        if not 0 < self.refresh_interval <= 86_400:
            raise ConfigError(
                f"motion is refreshed each 0 to 86400 s, not {self.refresh_interval:g}"
            )
        strength = self.smoothing_strength
        if isinstance(strength, str) or not 0 <= strength <= 10:
            raise ConfigError(f"smoothing is 0 (none) to 10 or 'auto', not {strength!r}")
        if self.bpp is not None and self.kbps is not None:
            raise ConfigError("give a rate either as bpp or as kbps, not both")
        for name, rate in (("bpp", self.bpp), ("kbps", self.kbps)):
            if rate is not None and not 0 < rate < 1e6:
                raise ConfigError(f"a rate of {rate:g} {name} makes no sense")
        if self.audio_kbps and not 0.5 <= self.audio_kbps <= 128:
            raise ConfigError(
                f"sound takes 0.5 to 128 kbps (a packet must fit a datagram), not "
                f"{self.audio_kbps:g}; 0 leaves it out"
            )
        interval = self.keyframe_interval
        if isinstance(interval, str) and interval != "auto":
            raise ConfigError(f"a keyframe interval is seconds or 'auto', not {interval!r}")
        if isinstance(interval, int | float) and not 0.1 <= interval <= 86_400:
            raise ConfigError(f"keyframes come every 0.1 to 86400 seconds, not {interval:g}")
        if not _MIN_PICTURE <= self.keyframe_bytes <= _MAX_PICTURE:
            raise ConfigError(
                f"a keyframe's picture takes {_MIN_PICTURE} to {_MAX_PICTURE} bytes, "
                f"not {self.keyframe_bytes}"
            )
        if not 1 <= self.references <= MAX_REFERENCES:
            raise ConfigError(
                f"a stream has 1 to {MAX_REFERENCES} references, not {self.references}"
            )
        if self.lookahead != "auto" and not 0 <= self.lookahead <= 30:
            raise ConfigError(f"one looks 0 to 30 seconds ahead, not {self.lookahead:g}")
        if not 64 <= self.size <= 1024 or self.size % 2:
            raise ConfigError(f"the coded picture has an even side of 64 to 1024, not {self.size}")

    @property
    def smoothing_strength(self) -> float:
        """`smoothing`, decided."""
        if self.smoothing == "auto":
            return 1.0 if self.profile == Profile.ENTROPY else 0.0
        return self.smoothing

    def frames_together(self, fps: Fraction, *, live: bool) -> int:
        """Frames of a MOTION packet: `bundle`, decided."""
        if self.profile == Profile.FP16:
            return 1
        if self.bundle != "auto":
            return self.bundle
        if not live:
            return min(max(1, round(fps)), MAX_FRAMES)
        rate = self.rate_kbps(fps)
        return 1 if rate is None or rate >= _NARROW_KBPS else min(max(1, int(fps / 8)), MAX_FRAMES)

    def rate_kbps(self, fps: Fraction) -> float | None:
        """The rate that is set, in 1000 bits a second, or None."""
        if self.bpp is not None:
            return self.bpp * self.size**2 * float(fps) / 1000
        return self.kbps

    def look_ahead(self, duration_s: Fraction | None) -> Fraction:
        """Seconds that are planned together: `lookahead`, decided."""
        if self.lookahead != "auto":
            return Fraction(self.lookahead).limit_denominator(1000)
        if duration_s is None:
            return Fraction(0)
        return max(duration_s, Fraction(1)) / max(1, math.ceil(duration_s / _LOOKAHEAD))

    def sound_together(self, *, live: bool) -> int:
        """Milliseconds of an Opus packet: in files as many as Opus knows, for fewer headers."""
        return 40 if live or (self.audio_kbps or 0) > _LONG_SOUND_KBPS else 120

    @property
    def has_sound(self) -> bool:
        """Whether sound is coded at all."""
        return bool(self.audio_kbps)
