"""The input next to what was made of it, picture by picture at the same times."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from ...codec.errors import MediaError

__all__ = ["InputFrames", "TimedFrames", "beside"]

Picture = npt.NDArray[np.uint8]
TimedFrames = Iterable[tuple[Picture, Fraction]]
"""Pictures, uint8 RGB `[H, W, 3]` of any size, each with its time in seconds; times rise from 0."""
_SCALING = int(Interpolation.AREA)


class InputFrames:
    """Frames by time, forward only, one in memory, on one canvas that all of them fit into.

    Args:
        frames: see `TimedFrames`. Their size may change on the way.
        height: of the canvas in pixels; its width follows from the first frame, made even.
        tolerance: seconds that a frame may be ahead and still count as shown, since a stream's
            times are rounded to its ticks.

    Raises:
        MediaError: there is no frame.
    """

    def __init__(self, frames: TimedFrames, height: int, tolerance: Fraction) -> None:
        self._tolerance = tolerance
        self._frames = iter(frames)
        first = next(self._frames, None)
        if first is None:
            raise MediaError("the video to be shown beside holds no frame")
        across, down = first[0].shape[1], first[0].shape[0]
        self._size = (height, max(2, round(across * height / down / 2) * 2))
        self._shown = self._fitted(first[0])
        self._next = next(self._frames, None)

    def at(self, time: Fraction) -> Picture:
        """The frame that is shown at a time in seconds: uint8 RGB `[height, width, 3]`.

        Times must not fall. After the end, the last frame stays.
        """
        newest: Picture | None = None
        while self._next is not None and self._next[1] <= time + self._tolerance:
            newest = self._next[0]
            self._next = next(self._frames, None)
        if newest is not None:
            self._shown = self._fitted(newest)
        return self._shown

    def _fitted(self, picture: Picture) -> Picture:
        """A picture as large as the canvas allows, in its middle, in its own proportions."""
        height, width = self._size
        scale = min(height / picture.shape[0], width / picture.shape[1])
        down = min(height, max(1, round(picture.shape[0] * scale)))
        across = min(width, max(1, round(picture.shape[1] * scale)))
        if width - across <= 2:  # the canvas was made even: no seam beside
            across = width
        if picture.shape[:2] != (down, across):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame = frame.reformat(across, down, interpolation=_SCALING)
            picture = np.asarray(frame.to_ndarray(), np.uint8)
        if (down, across) == (height, width):
            return picture
        canvas = np.zeros((height, width, 3), np.uint8)
        top, left = (height - down) // 2, (width - across) // 2
        canvas[top : top + down, left : left + across] = picture
        return canvas


def beside(left: Picture, right: Picture) -> Picture:
    """Two uint8 RGB pictures of one height, left and right of each other."""
    return np.concatenate([left, right], axis=1)
