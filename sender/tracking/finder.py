"""`Finder`: faces in frames of any size.

The tracker sees faces from about an eighth of a picture on, and a picture of 4K costs time. So once
a face is known, a window of three times its height is tracked; and where the whole frame shows no
face, it is searched in parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .crop import resize
from .movement import overlap
from .tracker import Face

__all__ = ["TRACKED_SIDE", "FaceTracker", "Finder", "tiles"]

Frame = npt.NDArray[np.uint8]

TRACKED_SIDE = 512
"""Longest side of a picture that is given to the tracker."""
_SMALLEST = 16
_MARGIN = 3.0  # side of the window, in face heights
_DRIFT = 0.22  # how far the face may be from the window's middle, in the window's sides
_GROWN = 1.5  # how much larger or smaller it may be than when the window was placed
_MOST = 48  # parts that are searched at one level
_AGAIN_S = 0.5  # between two searches of all parts
_TWICE = 0.5  # two finds that overlap more (intersection over union) are one face


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
        still: makes a tracker for pictures that do not follow each other; it is called when one is
            needed. None: frames are never searched in parts.
    """

    def __init__(self, tracker: FaceTracker, still: Callable[[], FaceTracker] | None) -> None:
        self._tracker = tracker
        self._make_still = still
        self._still: FaceTracker | None = None
        self.reset()

    def reset(self) -> None:
        """Another stream or scene: look at the whole frame again."""
        self._window: _Window | None = None
        self._height = 0.0  # of the face for which the window was placed
        self._missing = _AGAIN_S

    def rescale(self, across: float, down: float) -> None:
        """The frames change their size by these factors, and show the same as before."""
        if self._window is not None:
            window = self._window
            self._window = _Window(
                int(window.left * across),
                int(window.top * down),
                max(1, int(window.width * across)),
                max(1, int(window.height * down)),
            )
            self._height *= down

    def find(self, frame: Frame, seconds: float, time_ms: int) -> list[Face]:
        """Faces in pixels of the frame, largest first; only those near a face that is kept.

        Args:
            frame: uint8 RGB `[H, W, 3]`.
            seconds: since the frame before.
            time_ms: its presentation time.
        """
        if min(frame.shape[:2]) < _SMALLEST:
            return []
        whole = _Window(0, 0, frame.shape[1], frame.shape[0])
        faces = _look(self._tracker, frame, self._window or whole, time_ms)
        if faces:
            self._missing = 0.0
            return faces
        self._missing += seconds
        if self._missing < _AGAIN_S:
            return []
        self._window, self._missing = None, 0.0
        return self.survey(frame)

    def survey(self, frame: Frame) -> list[Face]:
        """All faces of a frame, also small ones, in its pixels; largest first, each once.

        It looks at many parts of the frame, and takes as long as many calls of `find`.
        """
        if self._make_still is None or min(frame.shape[:2]) < _SMALLEST:
            return []
        if self._still is None:
            self._still = self._make_still()
        found: list[Face] = []
        for window in tiles(frame.shape[0], frame.shape[1]):
            found += _look(self._still, frame, window, None)
        found.sort(key=lambda face: face.box[2] - face.box[0], reverse=True)
        faces: list[Face] = []
        for face in found:
            if all(overlap(face.box, other.box) < _TWICE for other in faces):
                faces.append(face)
        return faces

    def keep(self, face: Face, shape: tuple[int, int]) -> None:
        """Place the window about the face that is followed, unless it stands well already.

        Args:
            face: the face, in pixels of the frame.
            shape: height and width of the frame.
        """
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
        width, height = min(side, shape[1]), min(side, shape[0])
        left = min(max(round(x - width / 2), 0), shape[1] - width)
        top = min(max(round(y - height / 2), 0), shape[0] - height)
        self._window, self._height = _Window(left, top, width, height), tall

    def close(self) -> None:
        """Free what was made here; the tracker is the caller's."""
        if self._still is not None:
            self._still.close()


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
    """Squares that cover a frame, each overlapping the next by half: first with the frame's shorter
    side, then with half of it. A level of more than 48 squares is left out (the frame is a strip,
    not a picture).
    """
    for side in (min(height, width), min(height, width) // 2):
        rows, columns = _starts(height, side), _starts(width, side)
        if side < 2 * _SMALLEST or len(rows) * len(columns) > _MOST:
            return
        for top in rows:
            for left in columns:
                yield _Window(left, top, side, side)


def _starts(length: int, side: int) -> list[int]:
    """Positions spread evenly from border to border, at most half a side apart."""
    count = -(-2 * (length - side) // max(side, 1)) + 1
    return [round(k * (length - side) / max(count - 1, 1)) for k in range(count)]
