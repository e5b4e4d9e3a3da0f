"""The classic codecs: one table, coded and decoded by FFmpeg.

Every codec has one keyframe, the first frame, and runs on one thread. Presets are the slow ones
that people use. `vvenc` and `vp9` take two passes and hold a bit rate; the others are given a
quality, since the rate control of `vvenc-ld` does not hold a rate here, and those of x264, x265 and
SVT-AV1 cost bits in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass

from .base import Knob

__all__ = ["CLASSIC", "Classic"]


@dataclass(frozen=True, slots=True)
class Classic:
    """One codec in FFmpeg.

    Attributes:
        about: one line for the report.
        encoder: FFmpeg's name of the encoder.
        format: FFmpeg's name of the format that is written, a bare stream.
        knob: what sets the rate.
        options: FFmpeg's options; `{}` stands for the setting of the knob.
        passes: 1 or 2.
    """

    about: str
    encoder: str
    format: str
    knob: Knob
    options: str
    passes: int = 1


_RATE = Knob("bitrate", 1000, 4_000_000, 0.002)
_VVENC = "-preset medium -b:v {:.0f} -period 1000"  # by default it has an I frame a second

CLASSIC: dict[str, Classic] = {
    # Hierarchical groups of 32 frames: no call can wait for them.
    "vvenc": Classic(
        "H.266, VVenC medium, random access, two passes: an offline reference",
        *("libvvenc", "vvc", _RATE, _VVENC),
        passes=2,
    ),
    # Without the perceptual adaptation of the quantiser, which is on by default.
    "vvenc-psnr": Classic(
        "H.266, VVenC medium, random access, two passes: an offline reference, for PSNR",
        *("libvvenc", "vvc", _RATE, f"{_VVENC} -qpa 0"),
        passes=2,
    ),
    # Groups of 8 frames without reordering.
    "vvenc-ld": Classic(
        "H.266, VVenC medium, low delay, fixed QP: what a call could use",
        *("libvvenc", "vvc", Knob("QP", 10, 63, 1, start=46, slope=-0.115)),
        "-preset medium -qp {:.0f} -vvenc-params "
        "picreordering=0:poc0idr=1:decodingrefreshtype=none:gopsize=8:intraperiod=-1",
    ),
    # FFmpeg's own -crf ends at 63, the library's at 70, in quarters.
    "svtav1": Classic(
        "AV1, SVT-AV1 preset 2, random access, constant quality",
        *("libsvtav1", "obu", Knob("CRF", 5, 70, 0.25, start=55, slope=-0.09)),
        "-preset 2 -g 9999 -svtav1-params lp=1:crf={:g}",
    ),
    # No pools and no frame threads, which cost bits, and no note of x265 about itself.
    "x265": Classic(
        "H.265, x265 slow, constant rate factor",
        *("libx265", "hevc", Knob("CRF", 0, 51, 0.1, start=36, slope=-0.12)),
        "-preset slow -x265-params "
        "crf={:.1f}:keyint=-1:pools=1:frame-threads=1:log-level=error:info=0",
    ),
    "vp9": Classic(
        "VP9, libvpx cpu-used 1, two passes",
        *("libvpx-vp9", "ivf", _RATE),
        "-b:v {:.0f} -g 9999 -deadline good -cpu-used 1 -qmax 63 -row-mt 0",
        passes=2,
    ),
    # The filter takes out x264's note about itself, some 700 bytes (SEI, type 6).
    "x264": Classic(
        "H.264, x264 slow, constant rate factor",
        *("libx264", "h264", Knob("CRF", 0, 51, 0.1, start=33, slope=-0.12)),
        "-preset slow -crf {:.1f} -g 9999 -bsf:v filter_units=remove_types=6",
    ),
}
"""Codecs by the name that `--codecs` takes."""
