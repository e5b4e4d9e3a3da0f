"""HEVC through x265."""

from __future__ import annotations

from .base import Knob
from .ffmpeg import FfmpegCodec

__all__ = ["X265"]


class X265(FfmpegCodec):
    """Constant rate factor, one keyframe; its notes about itself are left out of the stream."""

    name = "x265"
    about = "H.265, x265 slow, constant rate factor"
    encoder, library, container, suffix = "libx265", "x265", "hevc", ".265"
    knob = Knob("CRF", 0, 51, 0.1, start=36, slope=-0.12)

    def __init__(self, preset: str = "slow") -> None:
        self._preset = preset

    def options(self, setting: float) -> list[str]:
        """No pools, no frame threads: they cost bits."""
        fixed = "keyint=-1:pools=1:frame-threads=1:log-level=error:info=0"
        return ["-preset", self._preset, "-x265-params", f"crf={setting:.1f}:{fixed}"]
