"""VP9 through libvpx."""

from __future__ import annotations

from .base import Knob
from .ffmpeg import FfmpegCodec

__all__ = ["Vp9"]


class Vp9(FfmpegCodec):
    """Two passes at a rate; `cpu-used 1` is its slow setting for use."""

    name = "vp9"
    about = "VP9, libvpx cpu-used 1, two passes"
    encoder, library, container, suffix = "libvpx-vp9", "libvpx", "ivf", ".ivf"
    passes = 2
    knob = Knob("bitrate", 1000, 4_000_000, 0.002)

    def options(self, setting: float) -> list[str]:
        """One keyframe, quantiser free up to its end."""
        options = ["-b:v", f"{setting:.0f}", "-g", "9999", "-deadline", "good", "-cpu-used", "1"]
        return [*options, "-qmax", "63", "-row-mt", "0"]
