"""Which face is sent, and what counts as a new scene.

One person is followed: the largest face at first, then the one that overlaps the last most.
Another face is taken only when the followed one has been gone for half a second, or at a cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from .tracker import Face

__all__ = ["Followed", "Follower", "overlap"]

Box = tuple[float, float, float, float]
_SAME = 0.15  # overlap (intersection over union) of one face in neighbouring frames
_GONE_S = 0.5


@dataclass(frozen=True, slots=True)
class Followed:
    """What the follower made of a frame: the face, or None; and whether it is somebody new."""

    face: Face | None
    changed: bool = False


class Follower:
    """Keeps to one face; one a stream."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Take the largest face next."""
        self._last: Box | None = None
        self._missing = 0.0

    def follow(self, faces: list[Face], seconds: float, *, cut: bool = False) -> Followed:
        """Choose among the faces of the next frame.

        Args:
            faces: largest first.
            seconds: since the frame before.
            cut: the scene changed: forget where the face was.
        """
        if self._last is None or cut:
            changed = self._last is not None
            if not faces:
                return Followed(None)
            return self._take(faces[0], changed)
        last = self._last
        best = max(faces, key=lambda face: overlap(face.box, last), default=None)
        if best is not None and overlap(best.box, last) >= _SAME:
            return self._take(best, False)
        self._missing += seconds
        if best is None or self._missing < _GONE_S:
            return Followed(None)
        return self._take(faces[0], True)

    def _take(self, face: Face, changed: bool) -> Followed:
        self._last, self._missing = face.box, 0.0
        return Followed(face, changed)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return both / (sum(areas) - both)
