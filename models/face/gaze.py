"""Gaze: where the irises lie between the corners of the eyes, as two numbers for both eyes.

Each eye has two axes of its own. One is half of the vector from its left corner to its right corner
(left and right as the picture shows them); the other is the same vector, turned downwards by 90
degrees. So a gaze stays the same when the head rolls, moves, or comes nearer.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import IRISES, POINTS

__all__ = ["EYE_CORNERS", "MAX_GAZE", "gaze_of", "with_irises"]

Array = npt.NDArray[np.float32]

MAX_GAZE = 1.0
"""Gazes lie on [-1, 1]; at 1 an iris lies on a corner of its eye."""

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
