"""`Finder`: faces in frames of any size.

The tracker sees faces from about an eighth of a picture on, and a picture of 4K costs time. So once
a face is known, a window of three times its height is tracked; and where the whole frame shows no
face, it is searched in parts: all of them at once, or in a call one in each frame, since together
they take up to half a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
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
        spread: look at one part in each frame, not at all parts of one frame. A face that was
            found is then there with the frame after.
    """

    def __init__(
        self,
        tracker: FaceTracker,
        still: Callable[[], FaceTracker] | None,
        *,
        spread: bool = False,
    ) -> None:
        self._tracker = tracker
        self._make_still = still
        self._spread = spread
        self._still: FaceTracker | None = None
        self.reset()

    def reset(self) -> None:
        """Another stream or scene: look at the whole frame again."""
        self._window: _Window | None = None
        self._height = 0.0  # of the face for which the window was placed
        self._missing = _AGAIN_S
        self._search = self._survey = _Search()

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
            self._missing, self._search = 0.0, _Search()
            return faces
        self._missing += seconds
        if self._missing < _AGAIN_S:
            return []
        if not self._spread:
            self._window, self._missing = None, 0.0
            return self.survey(frame) or []
        self._search_on(frame)
        return []

    def _search_on(self, frame: Frame) -> None:
        """Look at the next part; where a face was found, place the window about it."""
        still = self._still_tracker(frame)
        if still is None:
            return
        if self._search.over:
            self._window, self._search = None, _Search(frame, levels=True)
        found = self._search.advance(still, frame)
        if found is not None:
            self._missing, self._search = 0.0, _Search()
            if found:
                self.keep(found[0], (frame.shape[0], frame.shape[1]))

    def survey(self, frame: Frame) -> list[Face] | None:
        """All faces of a frame, also small ones, in its pixels; largest first, each once.

        It looks at many parts of the frame, and takes as long as many calls of `find`. If the parts
        are spread over frames, the result is None until the last one; then faces are where each was
        last seen.
        """
        still = self._still_tracker(frame)
        if still is None:
            return []
        if self._survey.over:
            self._survey = _Search(frame)
        while (found := self._survey.advance(still, frame)) is None:
            if self._spread:
                return None
        self._survey = _Search()
        return found

    def again(self, frame: Frame, face: Face, time_ms: int) -> list[Face]:
        """Faces about the place where one was seen in an earlier frame."""
        self.keep(face, (frame.shape[0], frame.shape[1]))
        return self.find(frame, 0.0, time_ms)

    def _still_tracker(self, frame: Frame) -> FaceTracker | None:
        """The tracker for parts; None where frames are not searched."""
        if self._make_still is None or min(frame.shape[:2]) < _SMALLEST:
            return None
        if self._still is None:
            self._still = self._make_still()
        return self._still

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


class _Search:
    """A search through the parts of a frame, or of frames that follow each other.

    Args:
        frame: the first one; without, the search is over.
        levels: end with the first level, from large parts to small ones, that shows a face.
    """

    def __init__(self, frame: Frame | None = None, *, levels: bool = False) -> None:
        self._shape = None if frame is None else frame.shape
        parts = [] if frame is None else list(tiles(frame.shape[0], frame.shape[1]))
        each = [list(group) for _, group in groupby(parts, key=lambda part: part.width)]
        self._levels = each if levels else [parts] if parts else []
        self._found: list[Face] = []

    @property
    def over(self) -> bool:
        """Whether nothing is left to look at."""
        return not self._levels

    def advance(self, tracker: FaceTracker, frame: Frame) -> list[Face] | None:
        """Look at the next part of this frame. At the end, the faces; else None. Frames of another
        size end it with nothing.
        """
        if self.over or frame.shape != self._shape:
            self._levels = []
            return []
        self._found += _look(tracker, frame, self._levels[0].pop(0), None)
        if self._levels[0]:
            return None
        self._levels.pop(0)
        if self._levels and not self._found:
            return None
        self._levels = []
        return _each_once(self._found)


def _each_once(found: list[Face]) -> list[Face]:
    """The faces without those that were found twice, largest first."""
    faces: list[Face] = []
    for face in sorted(found, key=lambda face: face.box[2] - face.box[0], reverse=True):
        if all(overlap(face.box, other.box) < _TWICE for other in faces):
            faces.append(face)
    return faces


def _look(tracker: FaceTracker, frame: Frame, window: _Window, time_ms: int | None) -> list[Face]:
    """Track a part of the frame; landmarks come back in pixels of the frame."""
    part = frame[window.top : window.top + window.height, window.left : window.left + window.width]
    scale = min(1.0, TRACKED_SIDE / max(window.width, window.height))
    width, height = max(1, round(window.width * scale)), max(1, round(window.height * scale))
    back = np.array([window.width / width, window.height / height], np.float32)
    corner = np.array([window.left, window.top], np.float32)
    return [
        Face(
            face.landmarks * back + corner,
            face.blink,
            face.pose,
            None if face.depth is None else face.depth * back[0],
        )
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
