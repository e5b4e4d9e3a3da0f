"""The keyframe and nothing else, held: the floor of everything that moves a keyframe."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np

from ...codec.picture.still import CodedPicture, StillCodec, decode_picture, encode_picture
from ...codec.whole_file import whole_file
from ...sender.tracking.capture import Capture
from ..clips import Clip, Frame
from ..files import cpu_seconds
from .base import Codec, Encoded, Knob
from .crop import write_crop

__all__ = ["Frozen", "code_first_frame"]


class Frozen(Codec):
    """All bits go into the first frame, coded by the keyframe's own still codec."""

    name = "frozen"
    about = "the first frame, repeated; all bits in it"
    suffix = ".obu"
    knob = Knob("bytes", 300, 65_000, 1, start=4000, slope=2e-4, tries=6)

    def versions(self) -> dict[str, str]:
        """Name of the still codec."""
        return {"still": f"{StillCodec.AV1.name}, CRF in quarters, low delay", "av": version("av")}

    def write_source(self, clip: Clip, folder: Path) -> Path:
        """The clip as a video; its first frame is read."""
        return write_crop(clip, folder)

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code one picture."""
        began = cpu_seconds()
        data = _coded(clip.rgb()[0], round(setting))
        seconds = cpu_seconds() - began
        out.write_bytes(data)
        call = f"code_first_frame('crop.mkv', {setting:.0f}, 'out{self.suffix}')"
        command = f'python -c "from {__name__} import code_first_frame; {call}"'
        bits = {"keyframe": 8 * len(data)}
        return Encoded(out, bits, float(round(setting)), command, seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """The picture, again and again."""
        data = encoded.path.read_bytes()
        frame = decode_picture(CodedPicture(StillCodec.AV1, 0, data))
        for _ in range(clip.frames):
            yield frame


def code_first_frame(video: str, max_bytes: int, out: str) -> None:
    """Code the first frame of a video as `Frozen` does; this is what its printed command calls.

    Raises:
        MediaError: the video cannot be read.
        OSError: the stream cannot be written.
    """
    with Capture(Path(video)) as capture:
        frame, _ = next(iter(capture.frames()))
    with whole_file(out, overwrite=True) as file:
        file.write(_coded(frame, max_bytes))


def _coded(frame: Frame, max_bytes: int) -> bytes:
    picture = encode_picture(np.ascontiguousarray(frame), max_bytes=max_bytes, smallest=True)
    return bytes(picture.data)
