"""Any codec of command lines at half the size: how people use classic codecs at very low rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ...codec.whole_file import whole_path
from ..clips import Clip, Frame
from .base import Codec, Encoded
from .command import CommandCodec

__all__ = ["HALF", "HalfSize"]

HALF = "-half"
"""What the name of such a codec ends with."""


class HalfSize(Codec):
    """Frames are halved (mean of 2x2 pixels), coded, and enlarged again (Lanczos) to be measured.

    The knob's tries, the matched bits and the figures are those of the whole picture. Halving and
    enlarging are not counted in the speed.

    Args:
        codec: the codec that codes the small frames.
    """

    def __init__(self, codec: CommandCodec) -> None:
        self._codec = codec
        self.name, self.about = codec.name + HALF, f"{codec.about}; at half size, enlarged again"
        self.knob, self.suffix = codec.knob, codec.suffix

    def versions(self) -> dict[str, str]:
        """Those of the codec, and how frames are enlarged."""
        return {**self._codec.versions(), "half": "area, Lanczos"}

    def identity(self) -> str:
        """That of the codec too."""
        return super().identity() + self._codec.identity()

    def write_source(self, clip: Clip, folder: Path) -> Path:
        """The small raw frames."""
        return self._codec.write_source(*self._small(clip, folder))

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code the small frames."""
        small, folder = self._small(clip, scratch)
        encoded = self._codec.encode(small, setting, out.absolute(), folder)
        command = encoded.command.replace("frames.", f"{folder.name}/frames.")
        return replace(encoded, path=out, command=command)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Decode the small frames and enlarge them."""
        small, folder = self._small(clip, scratch)
        size = (clip.width, clip.height)
        for frame in self._codec.decode(small, encoded, folder):
            yield np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LANCZOS4), np.uint8)

    def _small(self, clip: Clip, scratch: Path) -> tuple[Clip, Path]:
        """The clip at half size, and the folder that holds it; made once a folder."""
        folder = scratch / "half"
        size = (clip.width // 4 * 2, clip.height // 4 * 2)  # even, for 4:2:0
        if not (folder / "frames.rgb").exists():
            folder.mkdir(exist_ok=True)
            with (
                whole_path(folder / "frames.rgb", overwrite=True) as draft,
                draft.open("wb") as file,
            ):
                for frame in clip.rgb():
                    file.write(cv2.resize(frame, size, interpolation=cv2.INTER_AREA).tobytes())
        return replace(clip, folder=folder, width=size[0], height=size[1]), folder
