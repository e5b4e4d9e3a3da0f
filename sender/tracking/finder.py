"""`Finder`: faces in frames of any size.

The tracker sees faces from about an eighth of a picture on, and a picture of 4K costs time. So once
a face is known, a window of three times its height is tracked; and where the whole frame shows
none, it is searched in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .crop import resize
from .tracker import Face

__all__ = ["TRACKED_SIDE", "FaceTracker", "Finder", "tiles"]

Frame = npt.NDArray[np.uint8]

TRACKED_SIDE = 512
"""Longest side of a picture that is given to the tracker."""
_SMALLEST = 16
_MARGIN = 3.0  # window, in face heights
_DRIFT = 0.22  # the face may be this far from the window's middle, in its sides
_GROWN = 1.5  # and this much larger or smaller than when it was placed
_MOST = 48  # parts that are searched at one level
_AGAIN_S = 0.5  # between two searches of all parts


class FaceTracker(Protocol):
    """What the sender needs of a tracker; `tracker.Tracker` is one."""

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        """Faces of one picture in its pixels, largest first."""

    def close(self) -> None:
        """Free it."""


@dataclass(frozen=True, slots=True)
class _Window:
    left: int
    top: int
    width: int
    height: int


class Finder:
    """Finds faces; one a stream.

    Args:
        tracker: follows faces from picture to picture.
        still: makes a tracker for pictures that do not follow each other; called when needed.
            None: frames are never searched in parts.
    """

    def __init__(self, tracker: FaceTracker, still: Callable[[], FaceTracker] | None) -> None:
        self._tracker = tracker
        self._make_still = still
        self._still: FaceTracker | None = None
        self.reset()

    def reset(self) -> None:
        """Another stream or scene."""
        self._shape = (0, 0)
        self._window: _Window | None = None
        self._height = 0.0  # of the face for which the window was placed
        self._missing = _AGAIN_S

    def find(self, frame: Frame, seconds: float, time_ms: int) -> list[Face]:
        """Faces in pixels of the frame, largest first.

        Args:
            frame: uint8 RGB `[H, W, 3]`.
            seconds: since the frame before.
            time_ms: its presentation time.
        """
        if frame.shape[:2] != self._shape:
            self.reset()
            self._shape = (frame.shape[0], frame.shape[1])
        if min(self._shape) < _SMALLEST:
            return []
        whole = _Window(0, 0, self._shape[1], self._shape[0])
        faces = _look(self._tracker, frame, self._window or whole, time_ms)
        if faces:
            self._missing = 0.0
            return faces
        self._missing += seconds
        if self._missing < _AGAIN_S:
            return []
        self._window, self._missing = None, 0.0
        return self._search(frame)

    def keep(self, face: Face) -> None:
        """Place the window about the face that is followed, unless it stands well already."""
        x0, y0, x1, y1 = face.box
        x, y, tall = (x0 + x1) / 2, (y0 + y1) / 2, max(y1 - y0, x1 - x0)
        window = self._window
        if window is not None:
            off_x = abs(x - window.left - window.width / 2) / window.width
            off_y = abs(y - window.top - window.height / 2) / window.height
            same_size = 1 / _GROWN < tall / self._height < _GROWN
            if max(off_x, off_y) < _DRIFT and same_size:
                return
        side = max(round(_MARGIN * tall), 2 * _SMALLEST)
        width, height = min(side, self._shape[1]), min(side, self._shape[0])
        left = min(max(round(x - width / 2), 0), self._shape[1] - width)
        top = min(max(round(y - height / 2), 0), self._shape[0] - height)
        self._window, self._height = _Window(left, top, width, height), tall

    def close(self) -> None:
        """Free what was made here; the tracker is the caller's."""
        if self._still is not None:
            self._still.close()

    def _search(self, frame: Frame) -> list[Face]:
        if self._make_still is None:
            return []
        if self._still is None:
            self._still = self._make_still()
        found: list[Face] = []
        for window in tiles(*self._shape):
            found += _look(self._still, frame, window, None)
        return sorted(found, key=lambda face: face.box[2] - face.box[0], reverse=True)


def _look(tracker: FaceTracker, frame: Frame, window: _Window, time_ms: int | None) -> list[Face]:
    """Track a part of the frame; landmarks come back in pixels of the frame."""
    part = frame[window.top : window.top + window.height, window.left : window.left + window.width]
    scale = min(1.0, TRACKED_SIDE / max(window.width, window.height))
    width, height = max(1, round(window.width * scale)), max(1, round(window.height * scale))
    back = np.array([window.width / width, window.height / height], np.float32)
    corner = np.array([window.left, window.top], np.float32)
    return [
        Face(face.landmarks * back + corner, face.blink, face.pose)
        for face in tracker.track(resize(part, width, height), time_ms)
    ]


def tiles(height: int, width: int) -> Iterator[_Window]:
    """Squares that cover a frame, each overlapping the next by half: first of its shorter side,
    then of half of it. Levels of more than 48 are left out (strips, not pictures)."""
    for side in (min(height, width), min(height, width) // 2):
        rows, columns = _starts(height, side), _starts(width, side)
        if side < 2 * _SMALLEST or len(rows) * len(columns) > _MOST:
            return
        for top in rows:
            for left in columns:
                yield _Window(left, top, side, side)


def _starts(length: int, side: int) -> list[int]:
    """Evenly spread, first and last at the borders, at most half a side apart."""
    count = -(-2 * (length - side) // max(side, 1)) + 1
    return [round(k * (length - side) / max(count - 1, 1)) for k in range(count)]
