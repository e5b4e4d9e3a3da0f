"""The part of a picture that the reenactor's mask loss counts (section 4, "Face reenactor")."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["face_mask"]

Array = npt.NDArray[np.float32]

_GROWTH = 1 / 16
"""How far the polygon is dilated, in parts of the picture's side. The paper says only that the
white area is expanded until it covers the face."""


def face_mask(points: Array, size: int = 256) -> Array:
    """The convex polygon around the landmarks, dilated.

    Args:
        points: float32 `[106, 2]` on [-1, 1].
        size: side of the picture.

    Returns:
        float32 `[size, size]`, 1 on the face and 0 elsewhere.
    """
    pixels = np.round((np.clip(points, -2, 2) + 1) / 2 * size - 0.5).astype(np.int32)
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(pixels), 1)
    reach = 2 * max(1, round(size * _GROWTH)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.dilate(mask, kernel), np.float32)
