"""The input next to what was made of it, picture by picture at the same times."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from ...codec.errors import NotAVideoError

__all__ = ["InputFrames", "beside"]

Picture = npt.NDArray[np.uint8]
# Without the last two, FFmpeg's RGB is 1.3 levels too dark (measured: 45 dB, with them 49.7).
_EXACT = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


class InputFrames:
    """Frames of a video by time, forward only, one in memory.

    Args:
        path: any video that PyAV reads.
        height: height in pixels that frames are scaled to; the width follows, made even.
        tolerance: seconds that a frame may be ahead and still count as shown, since a stream's
            times are rounded to its ticks.

    Raises:
        NotAVideoError: nothing in the file decodes as video.
        OSError: the file cannot be read.
    """

    def __init__(self, path: Path, height: int, tolerance: Fraction) -> None:
        self._path = path
        self._height = height
        self._tolerance = tolerance
        try:
            # Only what lies on disk: a playlist named .mp4 must not make us open its addresses.
            options = {"protocol_whitelist": "file,crypto,data"}
            self._container = av.open(f"file:{path}", options=options)
        except av.InvalidDataError as error:
            raise NotAVideoError(f"{path} is not a video that can be read") from error
        if not self._container.streams.video:
            self.close()
            raise NotAVideoError(f"{path} holds no video")
        self._frames = self._decode()
        first = next(self._frames, None)
        if first is None:
            self.close()
            raise NotAVideoError(f"{path} holds no video frame that can be decoded")
        self._start, frame = first
        self._shown = self._picture(frame)
        self._next = next(self._frames, None)

    def at(self, time: Fraction) -> Picture:
        """The frame shown `time` seconds after the first: uint8 RGB `[height, width, 3]`.

        Times must not fall. After the end the last frame stays.
        """
        newest: av.VideoFrame | None = None
        while self._next is not None and self._next[0] - self._start <= time + self._tolerance:
            newest = self._next[1]
            self._next = next(self._frames, None)
        if newest is not None:
            self._shown = self._picture(newest)
        return self._shown

    def _decode(self) -> Iterator[tuple[Fraction, av.VideoFrame]]:
        stream = self._container.streams.video[0]
        rate = stream.average_rate or Fraction(25)
        time = Fraction(0)
        try:
            for frame in self._container.decode(stream):
                if frame.pts is not None and frame.time_base is not None:
                    time = frame.pts * frame.time_base
                yield time, frame
                time += 1 / rate
        except av.InvalidDataError:
            return  # a damaged end: what came before is shown

    def _picture(self, frame: av.VideoFrame) -> Picture:
        turns = round(frame.rotation / 90) % 4
        across, down = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
        width = max(2, round(across * self._height / down / 2) * 2)
        size = (self._height, width) if turns % 2 else (width, self._height)
        scaled = frame.reformat(size[0], size[1], format="rgb24", interpolation=int(_EXACT))
        return np.ascontiguousarray(np.rot90(scaled.to_ndarray(), turns), np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> InputFrames:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def beside(left: Picture, right: Picture) -> Picture:
    """Two uint8 RGB pictures of one height, left and right of each other."""
    return np.concatenate([left, right], axis=1)
