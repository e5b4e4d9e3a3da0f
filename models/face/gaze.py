"""Gaze: where the irises lie between the corners of the eyes, as two numbers for both eyes.

Each eye has two axes of its own. One is half of the vector from its left corner to its right corner
(left and right as the picture shows them); the other is the same vector, turned downwards by 90
degrees. So a gaze stays the same when the head rolls, moves, or comes nearer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codec.motion.frame import MAX_GAZE
from .mesh import IRISES, POINTS, openings

__all__ = ["EYE_CORNERS", "GazeFollower", "gaze_of", "with_irises"]

Array = npt.NDArray[np.float32]

_SHUT = 0.12  # lids that are closer than this, over the width of an eye, hide the iris
_CORNERS = ((33, 133), (362, 263))  # of each eye, left before right in the picture
EYE_CORNERS: tuple[tuple[int, int], ...] = tuple(
    (POINTS.index(left), POINTS.index(right)) for left, right in _CORNERS
)
"""Corners of each eye as positions in `POINTS`, left before right in the picture."""


def gaze_of(landmarks: Array) -> Array:
    """Gaze of tracked faces: float32 `[..., 478, 2]` → `[..., 2]` on [-1, 1], right and down.

    It is the mean of both eyes, weighted by the squares of their widths: when the head is turned,
    the nearer eye counts more.
    """
    corners = landmarks[..., np.array(_CORNERS), :]  # [..., eye, corner, 2]
    middle = corners.mean(-2)
    half = (corners[..., 1, :] - corners[..., 0, :]) / 2
    offset = landmarks[..., IRISES, :] - middle
    norm = np.maximum((half * half).sum((-1, -2)), 1e-9)
    across = (offset * half).sum((-1, -2)) / norm
    down = (offset[..., 1] * half[..., 0] - offset[..., 0] * half[..., 1]).sum(-1) / norm
    gaze = np.clip(np.stack([across, down], -1), -MAX_GAZE, MAX_GAZE)
    return np.asarray(gaze, np.float32)


def with_irises(points: Array, gaze: Array) -> Array:
    """Append the centres of both irises to a face's points.

    Args:
        points: float32 `[..., P, 2]`, the landmarks in `POINTS`.
        gaze: float32 `[..., 2]`, as `gaze_of` gives it.

    Returns:
        float32 `[..., P + 2, 2]`.
    """
    corners = points[..., np.array(EYE_CORNERS), :]
    half = (corners[..., 1, :] - corners[..., 0, :]) / 2
    turned = np.stack([-half[..., 1], half[..., 0]], -1)
    across, down = gaze[..., None, :1], gaze[..., None, 1:]
    irises = corners.mean(-2) + across * half + down * turned
    return np.asarray(np.concatenate([points, irises], -2), np.float32)


class GazeFollower:
    """The gaze of one person from frame to frame. While the lids are shut it stays as it was: a
    tracker guesses an iris there, and that is noise.
    """

    def __init__(self) -> None:
        self._last: Array | None = None

    def reset(self) -> None:
        """Somebody else follows."""
        self._last = None

    def push(self, landmarks: Array) -> Array:
        """Gaze of the next frame, float32 `[2]`, from its landmarks `[478, 2]`."""
        if self._last is None or openings(landmarks)[0] >= _SHUT:
            self._last = gaze_of(landmarks)
        return self._last
