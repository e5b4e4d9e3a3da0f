"""`Movement`: tells a living face from a portrait by how far its landmarks go in half a second.

Over all clips of `val`, landmarks of people who sit and talk move by 0.004 to 0.7 face heights in
half a second; those of a picture of a face in a coded video by less than 0.002.
"""

from __future__ import annotations

import numpy as np

from .tracker import Face

__all__ = ["ALIVE", "SAME_FACE", "Movement", "movement", "overlap"]

Box = tuple[float, float, float, float]

ALIVE = 0.003
"""Movement in half a second, in face heights, from which on a face is alive."""

SAME_FACE = 0.15
"""Least overlap (intersection over union) of one face in two frames, by their boxes."""


class Movement:
    """Compares the faces of one look with those of the look before; one a stream."""

    def __init__(self) -> None:
        self._last: list[Face] = []

    def push(self, faces: list[Face]) -> list[float]:
        """How far each face moved since the last look, in face heights; 0 for one that is new."""
        moved = []
        for face in faces:
            before = max(self._last, key=lambda old: overlap(old.box, face.box), default=None)
            known = before is not None and overlap(before.box, face.box) >= SAME_FACE
            moved.append(movement(before, face) if before is not None and known else 0.0)
        self._last = list(faces)
        return moved


def movement(before: Face, after: Face) -> float:
    """Mean distance that the landmarks of one face went, in face heights."""
    height = max(after.box[3] - after.box[1], 1e-6)
    return float(np.linalg.norm(after.landmarks - before.landmarks, axis=1).mean()) / height


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    return both / (sum(areas) - both)
