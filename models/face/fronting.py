"""`FrontCoordinates`: the mouth as it would be seen from the front, whatever the head does.

Head coordinates (`head.py`) are flat. Where a head is turned to the side, its mouth lies beside the
middle and is narrower, which says where the head looks and nothing of the person. So a receiver,
which must know where a person's mouth is on average, uses these coordinates: they have the same
unit and axes, and are those of a head that looks straight ahead.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .head import MOUTH_AT, HeadCoordinates
from .turning import RIGID, LiftedHead, rotation

__all__ = ["FrontCoordinates"]

Array = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]
_FLATTEST = 0.05  # share of its usual area that a face seen from the side keeps at least


class FrontCoordinates:
    """The coordinates of one reference frame, which is the keyframe in a stream.

    Yaw and roll are taken out. Up and down count from the reference: where a person's head is
    level, one picture does not tell. Frames are laid onto the reference's head in space by the
    affine camera that fits its rigid landmarks best, so without any search.

    Args:
        points: landmarks of the reference in the order of `POINTS`, float32 `[P, 2]` on [-1, 1].
    """

    def __init__(self, points: Array) -> None:
        head = LiftedHead(points)
        ahead = replace(head.place, yaw=0.0, roll=0.0)
        front = head.seen_at(ahead)
        self._front, self._head = front, HeadCoordinates(front)
        depth = (head.shape @ rotation(0.0, ahead.pitch, 0.0).T)[:, 2] * ahead.size
        rigid = np.column_stack([front[RIGID], depth[RIGID]])
        self._middle = rigid.mean(0)
        self._fit = np.linalg.pinv(rigid - self._middle)
        self._depth = depth[MOUTH_AT] - self._middle[2]

    def mouth(self, points: Array) -> Array:
        """Mouths of frames, as seen from the front.

        Args:
            points: landmarks of the frames in the order of `POINTS`, float32 `[..., P, 2]`.

        Returns:
            float32 `[..., 40, 2]`, in distances of the outer eye corners, in the order of `MOUTH`.
        """
        camera, centre = self._camera(points)
        behind = self._depth[:, None] * camera[..., None, 2, :]
        flat = points[..., MOUTH_AT, :] - centre - behind
        ahead = flat @ np.linalg.inv(_invertible(camera[..., :2, :]))
        front = np.broadcast_to(self._front, points.shape).copy()
        front[..., MOUTH_AT, :] = ahead + self._middle[:2]
        return self._head.mouth(front)

    def placed(self, points: Array, mouth: Array) -> Array:
        """Frames with another mouth.

        Args:
            points: landmarks of the frames, float32 `[..., P, 2]`.
            mouth: their new mouths as seen from the front, float32 `[..., 40, 2]`.

        Returns:
            float32 `[..., P, 2]`: `points`, with the mouth's contour replaced, each in the pose of
            its own head.
        """
        camera, centre = self._camera(points)
        front = np.broadcast_to(self._front, points.shape)
        ahead = self._head.placed(front, mouth)[..., MOUTH_AT, :] - self._middle[:2]
        behind = self._depth[:, None] * camera[..., None, 2, :]
        out = np.array(points, np.float32)
        out[..., MOUTH_AT, :] = ahead @ _invertible(camera[..., :2, :]) + behind + centre
        return out

    def _camera(self, points: Array) -> tuple[Matrix, Matrix]:
        """What takes the reference's head to frames, from the right `[..., 3, 2]`, and the middle
        of their rigid landmarks `[..., 1, 2]`.
        """
        seen = points[..., RIGID, :].astype(np.float64)
        centre = seen.mean(-2, keepdims=True)
        return self._fit @ (seen - centre), centre


def _invertible(plane: Matrix) -> Matrix:
    """What a camera does within the plane of a face, `[..., 2, 2]`: not quite flat where it is, and
    never mirrored.
    """
    left, sizes, right = np.linalg.svd(plane)
    side = np.where(np.linalg.det(left) * np.linalg.det(right) < 0, -1.0, 1.0)
    left[..., 1] *= side[..., None]
    sizes[..., 1] *= side
    sizes = np.maximum(sizes, np.maximum(_FLATTEST * sizes[..., :1], 1e-9))
    return np.asarray((left * sizes[..., None, :]) @ right)
