"""The keyframe and nothing else, held: the honest floor of everything that moves a keyframe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.picture.still import CodedPicture, StillCodec, decode_picture, encode_picture
from ..clips import Clip
from .base import Codec, Encoded, Knob

__all__ = ["Frozen"]

Frame = npt.NDArray[np.uint8]


class Frozen(Codec):
    """All bits go into the first frame, coded by the keyframe's own still codec."""

    name = "frozen"
    about = "the first frame, repeated; all bits in it"
    suffix = ".obu"
    knob = Knob("bytes", 300, 65_000, 1, start=4000, slope=2e-4, tries=6)

    def versions(self) -> dict[str, str]:
        """Name of the still codec."""
        return {"still": f"{StillCodec.AV1.name}, CRF in quarters, low delay", "av": version("av")}

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code one picture."""
        began = time.perf_counter()
        first = np.ascontiguousarray(clip.rgb()[0])
        picture = encode_picture(first, max_bytes=round(setting), smallest=True)
        seconds = time.perf_counter() - began
        out.write_bytes(picture.data)
        bits = {"keyframe": 8 * len(picture.data)}
        command = f"encode_picture(first_frame, max_bytes={setting:.0f})"
        return Encoded(out, bits, round(setting), command, seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """The picture, again and again."""
        data = encoded.path.read_bytes()
        frame = decode_picture(CodedPicture(StillCodec.AV1, 0, data))
        for _ in range(clip.frames):
            yield frame
