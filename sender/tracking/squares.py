"""The square of a video that the encoder sends, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from .capture import Capture
from .crop import Rectangle, cut
from .observer import Observer
from .tracker import Tracker

__all__ = ["sent_squares"]

Frame = npt.NDArray[np.uint8]


def sent_squares(capture: Capture, size: int = 256) -> Iterator[tuple[Frame, Fraction]]:
    """Follow the face as the encoder does with its default settings, and cut the square out.

    Yields:
        uint8 RGB `[size, size, 3]` and its time in seconds. While no face has been seen yet, the
        square is the middle of the frame; while it is away, the square stays where it was.
    """
    with Tracker() as tracker:
        observer = Observer(tracker, size, lambda: Tracker(still=True))
        try:
            before: Fraction | None = None
            for frame, time in capture.frames():
                step = 1 / capture.info.timing.fps if before is None else time - before
                before = time
                square = observer.crop(frame, float(step), round(time * 1000))
                yield _middle(frame, size) if square is None else square, time
        finally:
            observer.close()


def _middle(frame: Frame, size: int) -> Frame:
    height, width = frame.shape[:2]
    side = min(height, width)
    return cut(frame, Rectangle((width - side) // 2, (height - side) // 2, side), size)
