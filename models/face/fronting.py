"""`FrontMouth`: the mouth of one picture as it would be seen from the front.

Head coordinates (`head.py`) are flat. Where a head is turned to the side, its mouth lies beside the
middle and is narrower, which says where the head looks and nothing of the person. So what is known
of mouths in general holds for one that is seen from the front.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .head import MOUTH_AT, HeadCoordinates
from .turning import LiftedHead, Place, rotation

__all__ = ["FrontMouth"]

Array = npt.NDArray[np.float32]


class FrontMouth:
    """The mouth of one picture, its head turned to look straight ahead. Up and down stay as they
    are: where a person's head is level, one picture does not tell.

    Args:
        points: landmarks of the picture in the order of `POINTS`, float32 `[P, 2]` on [-1, 1].

    Attributes:
        mouth: seen from the front, float32 `[40, 2]` in head coordinates.
    """

    def __init__(self, points: Array) -> None:
        head = LiftedHead(points)
        ahead = replace(head.place, yaw=0.0, roll=0.0)
        self._front = head.seen_at(ahead)
        self._front_head = HeadCoordinates(self._front)
        self.mouth = self._front_head.mouth(self._front)
        self._points, self._head = points, HeadCoordinates(points)
        self._turn = np.linalg.solve(_plane(ahead), _plane(head.place))

    def shift(self, mouth: Array) -> Array:
        """How far another mouth lies from the picture's.

        Args:
            mouth: as it would be seen from the front, float32 `[40, 2]` in head coordinates.

        Returns:
            float32 `[40, 2]`, in the head coordinates of the picture: what is to be added to the
            picture's mouth, so that it becomes the other one in the picture's pose. No point is
            moved towards the camera or away from it.
        """
        moved = self._front_head.placed(self._front, mouth) - self._front
        after = np.array(self._points)
        after[MOUTH_AT] += moved[MOUTH_AT] @ self._turn
        return self._head.mouth(after) - self._head.mouth(self._points)


def _plane(place: Place) -> npt.NDArray[np.float64]:
    """`[2, 2]`: what takes movements within the plane of a face to the picture, from the right."""
    flipped = rotation(place.yaw, place.pitch, place.roll)[:2, :2] * ((1, -1), (-1, 1))
    return np.asarray(flipped.T)
