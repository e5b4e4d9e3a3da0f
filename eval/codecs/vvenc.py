"""H.266/VVC through Fraunhofer's VVenC, in two ways: offline, and as a call could use it."""

from __future__ import annotations

from .base import Knob
from .ffmpeg import FfmpegCodec

__all__ = ["VvencLowDelay", "VvencRandomAccess"]


class VvencRandomAccess(FfmpegCodec):
    """Random access (hierarchical groups of 32), two passes: no call can wait for it.

    The default perceptual adaptation of the quantiser is on; `vvenc-psnr` turns it off.
    """

    name = "vvenc"
    about = "H.266, VVenC medium, random access, two passes: an offline reference"
    encoder, library, container, suffix = "libvvenc", "VVenC", "vvc", ".266"
    passes = 2
    knob = Knob("bitrate", 1000, 4_000_000, 0.002)

    def __init__(self, preset: str = "medium", *, perceptual: bool = True) -> None:
        self._preset, self._perceptual = preset, perceptual
        if not perceptual:
            self.name = "vvenc-psnr"
            self.about += ", for PSNR"

    def options(self, setting: float) -> list[str]:
        """An I frame a second would be the default; here only the first frame is one."""
        options = ["-preset", self._preset, "-b:v", f"{setting:.0f}", "-period", "1000"]
        return options if self._perceptual else [*options, "-qpa", "0"]


class VvencLowDelay(FfmpegCodec):
    """Low delay (no reordering), by QP: its rate control does not hold a rate here."""

    name = "vvenc-ld"
    about = "H.266, VVenC medium, low delay, fixed QP: what a call could use"
    encoder, library, container, suffix = "libvvenc", "VVenC", "vvc", ".266"
    knob = Knob("QP", 10, 63, 1, start=46, slope=-0.115)
    _STRUCTURE = "picreordering=0:poc0idr=1:decodingrefreshtype=none:gopsize=8:intraperiod=-1"

    def __init__(self, preset: str = "medium") -> None:
        self._preset = preset

    def options(self, setting: float) -> list[str]:
        """Groups of 8 without reordering, one intra frame."""
        options = ["-preset", self._preset, "-qp", f"{setting:.0f}"]
        return [*options, "-vvenc-params", self._STRUCTURE]
