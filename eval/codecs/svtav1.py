"""AV1 through SVT-AV1."""

from __future__ import annotations

from .base import Knob
from .ffmpeg import FfmpegCodec

__all__ = ["SvtAv1"]


class SvtAv1(FfmpegCodec):
    """Random access, constant quality: its CRF goes in quarters and up to 70."""

    name = "svtav1"
    about = "AV1, SVT-AV1 preset 2, random access, constant quality"
    encoder, library, container, suffix = "libsvtav1", "SVT-AV1", "obu", ".obu"
    knob = Knob("CRF", 5, 70, 0.25, start=55, slope=-0.09)

    def __init__(self, preset: int = 2) -> None:
        self._preset = preset

    def options(self, setting: float) -> list[str]:
        """One keyframe; FFmpeg's own -crf ends at 63, so the library's is set."""
        return ["-preset", str(self._preset), "-g", "9999"] + [
            "-svtav1-params",
            f"lp=1:crf={setting:g}",
        ]
