"""H.264 through x264."""

from __future__ import annotations

from .base import Knob
from .ffmpeg import FfmpegCodec

__all__ = ["X264"]


class X264(FfmpegCodec):
    """Constant rate factor, one keyframe."""

    name = "x264"
    about = "H.264, x264 slow, constant rate factor"
    encoder, library, container, suffix = "libx264", "x264", "h264", ".264"
    knob = Knob("CRF", 0, 51, 0.1, start=33, slope=-0.12)

    def __init__(self, preset: str = "slow") -> None:
        self._preset = preset

    def options(self, setting: float) -> list[str]:
        """x264's note about itself, some 700 bytes, is taken out of the stream (SEI, type 6)."""
        options = ["-preset", self._preset, "-crf", f"{setting:.1f}", "-g", "9999"]
        return [*options, "-bsf:v", "filter_units=remove_types=6"]
