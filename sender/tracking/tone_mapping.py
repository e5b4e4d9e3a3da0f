"""HDR video (HLG and PQ) as standard video: what recent phones record, for a tracker and a codec
that know 8 bits of BT.709.

The transfer functions are those of ITU-R BT.2100 on a display of 1000 cd/m2, the output is BT.1886
(gamma 2.4). White is at 100 cd/m2 where a video never goes above it (standard video that was
converted), else at 203 cd/m2, the reference white of ITU-R BT.2408; highlights above white are
compressed, not clipped. One table is made for a video and applied to every frame.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.reformatter import ColorTrc

__all__ = ["WIDE", "ToneMapper", "hdr_name"]

Numbers = npt.NDArray[np.float64]

WIDE = "gbrp16le"
"""Pixel format that frames are given in. (FFmpeg's scaler spoils rgb48le, and its table filter
exchanges the colours of planar formats: so it is planar outside and packed inside.)"""
_NAMES = {int(ColorTrc.ARIB_STD_B67): "HLG", int(ColorTrc.SMPTE2084): "PQ"}
_LEVEL = 8  # of the Hald image: a cube of 64 entries a side, as a picture of 512x512
_DISPLAY = 1000.0  # cd/m2
_SDR_WHITE, _HDR_WHITE = 100.0, 203.0
_ABOVE_WHITE = 1.15  # a peak this much above the white of standard video is a highlight
_KNEE = 0.8  # of white: what is darker stays as it is
_HLG_GAMMA = 1.2  # system gamma at 1000 cd/m2
_2020_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)


def hdr_name(frame: av.VideoFrame) -> str | None:
    """ "HLG" or "PQ" where the frame says that it is one of them, else None."""
    return _NAMES.get(int(frame.color_trc))


class ToneMapper:
    """Makes frames of one HDR video standard.

    Args:
        name: "HLG" or "PQ".
        samples: uint16 R'G'B' `[..., 3]` of its first second: they decide where white is.
    """

    def __init__(self, name: str, samples: Iterable[npt.NDArray[np.uint16]]) -> None:
        peak = 0.0
        for picture in samples:
            light = _light(name, picture.reshape(-1, 3) / 65535)
            peak = max(peak, float(np.quantile(light.max(1), 0.999)))
        white = _HDR_WHITE if peak > _SDR_WHITE * _ABOVE_WHITE else _SDR_WHITE
        self._table = _hald(name, white, compress=peak > white * _ABOVE_WHITE)
        self._graph: Graph | None = None
        self._size = (0, 0)
        self._count = 0

    def apply(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A frame of format `WIDE` in the video's colours as rgb24 in those of BT.709."""
        if self._graph is None or self._size != (frame.width, frame.height):
            self._graph = self._connect(frame)
            self._size, self._count = (frame.width, frame.height), 0
        frame.pts, frame.time_base = self._count, Fraction(1, 25)
        self._count += 1
        self._graph.vpush(frame, 0)
        return self._graph.vpull()

    def _connect(self, frame: av.VideoFrame) -> Graph:
        graph = Graph()
        table = av.VideoFrame.from_ndarray(self._table, format="rgb48le")
        sources = [
            graph.add_buffer(
                width=one.width,
                height=one.height,
                format=VideoFormat(one.format.name, one.width, one.height),
                time_base=Fraction(1, 25),
                name=name,
            )
            for one, name in ((frame, "video"), (table, "table"))
        ]
        packed = graph.add("format", "pix_fmts=rgb48le")
        look_up = graph.add("haldclut", "interp=tetrahedral:clut=first")
        narrow = graph.add("format", "pix_fmts=rgb24")
        sink = graph.add("buffersink")
        sources[0].link_to(packed)
        packed.link_to(look_up, 0, 0)
        sources[1].link_to(look_up, 0, 1)
        look_up.link_to(narrow)
        narrow.link_to(sink)
        graph.configure()
        table.pts, table.time_base = 0, Fraction(1, 25)
        graph.vpush(table, 1)
        graph.vpush(None, 1)
        return graph


def _hald(name: str, white: float, *, compress: bool) -> npt.NDArray[np.uint16]:
    """The table as a Hald image, uint16 `[512, 512, 3]`: red runs fastest, then green."""
    side = _LEVEL**2
    steps = np.linspace(0, 1, side)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    light = _light(name, np.stack([red, green, blue], -1).reshape(-1, 3)) / white
    light = np.maximum(light @ _2020_TO_709.T, 0)
    if compress:
        top = light.max(1, keepdims=True)
        light *= _rolled(top, _DISPLAY / white) / np.maximum(top, 1e-9)
    coded = np.clip(light, 0, 1) ** (1 / 2.4) * 65535
    return np.asarray(np.round(coded), np.uint16).reshape(_LEVEL**3, _LEVEL**3, 3)


def _rolled(light: Numbers, peak: float) -> Numbers:
    """Identity up to the knee; above it a curve of slope 1 there that reaches 1 at the peak."""
    room, above = 1 - _KNEE, np.maximum(light - _KNEE, 0)
    span = peak - _KNEE
    bend = 1 / room - 1 / span  # Reinhard's curve x / (1 + bend x): `room` at x = span
    return np.minimum(light, _KNEE) + above / (1 + bend * above)


def _light(name: str, coded: Numbers) -> Numbers:
    """R'G'B' `[n, 3]` on [0, 1] to light of the display in cd/m2 (BT.2100, tables 4 and 5)."""
    if name == "PQ":
        root = coded ** (1 / 78.84375)
        ratio = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
        light = np.minimum(10_000 * ratio ** (1 / 0.1593017578125), _DISPLAY)
        return np.asarray(light, np.float64)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    # The system gamma goes on each colour, as FFmpeg's zscale has it, not on the luminance.
    scene = np.where(coded <= 0.5, coded**2 / 3, (np.exp((coded - c) / a) + b) / 12)
    return np.asarray(_DISPLAY * scene**_HLG_GAMMA, np.float64)
