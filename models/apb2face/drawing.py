"""The landmark picture: what `FaceReenactor` sees of a face (section 4, "Face reenactor")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["draw_landmarks"]

Array = npt.NDArray[np.float32]

_DOT = np.stack(np.meshgrid((-1, 0, 1), (-1, 0, 1)), -1).reshape(-1, 2)  # 3 x 3 pixels


def draw_landmarks(points: Array, size: int = 256) -> Array:
    """Plot landmarks as dots of 3x3 pixels.

    Args:
        points: float32 `[106, 2]` on [-1, 1]; those outside are left out.
        size: side of the picture.

    Returns:
        float32 `[size, size]`, 1 on a landmark and 0 elsewhere.
    """
    picture = np.zeros((size, size), np.float32)
    inside = np.clip(points, -2, 2)  # far outside, so that it becomes a small whole number
    centre = np.round((inside + 1) / 2 * size - 0.5).astype(np.int64)
    pixels = (centre[:, None] + _DOT).reshape(-1, 2)
    x, y = pixels[((pixels >= 0) & (pixels < size)).all(1)].T
    picture[y, x] = 1
    return picture
