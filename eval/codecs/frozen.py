"""The keyframe and nothing else, held: the honest floor of everything that moves a keyframe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.still import DEFAULT_CODEC, Picture, StillCodec, decode_picture, encode_picture
from ..clips import Clip
from .base import Codec, Encoded, Knob

__all__ = ["Frozen"]

Frame = npt.NDArray[np.uint8]


class Frozen(Codec):
    """All bits go into the first frame, coded by the keyframe's own still codec."""

    name = "frozen"
    about = "the first frame, repeated; all bits in it"
    suffix = ".obu"
    knob = Knob("AV1 CRF", 1, 63, 1, start=30, slope=-0.06)

    def versions(self) -> dict[str, str]:
        """Name of the still codec."""
        return {"still": DEFAULT_CODEC.name, "av": version("av")}

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code one picture."""
        began = time.perf_counter()
        first = np.ascontiguousarray(clip.rgb()[0])
        picture = encode_picture(first, quality=round(setting), codec=StillCodec.AV1)
        seconds = time.perf_counter() - began
        out.write_bytes(picture.data)
        bits = {"keyframe": 8 * len(picture.data)}
        return Encoded(out, bits, round(setting), "facewire.codec.still.encode_picture", seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """The picture, again and again."""
        data = encoded.path.read_bytes()
        frame = decode_picture(Picture(StillCodec.AV1, round(encoded.setting), data))
        for _ in range(clip.frames):
            yield frame
