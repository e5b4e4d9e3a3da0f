"""`HeadPose`: position and rotation of the head, MediaPipe's facial transformation matrix.

The canonical face is fitted to the landmarks by a weighted similarity (orthogonal Procrustes:
Gower and Dijksterhuis 2004, section 4; Umeyama 1991). Landmarks are relative in depth, so the
distance from the camera is estimated first, in two steps, from the size of the face.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...models.face.canonical import load_canonical

__all__ = ["HeadPose", "similarity"]

Points = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_FIELD_OF_VIEW = math.radians(63)  # vertical, of the camera that MediaPipe assumes


class HeadPose:
    """Fits the canonical face to landmarks.

    Args:
        path: `face_landmarker.task`.

    Raises:
        WeightsError: not such a file.
    """

    def __init__(self, path: Path) -> None:
        face = load_canonical(path)
        self._count = len(face.points)
        self._used = np.flatnonzero(face.weights)
        self._points, self._weights = face.points[self._used], face.weights[self._used]

    def fit(self, landmarks: Points, height: int, width: int) -> npt.NDArray[np.float32] | None:
        """The matrix that takes the canonical face to the head before the camera.

        Args:
            landmarks: `[478, 3]` in pixels of a frame of `height` by `width`.
            height: of the frame.
            width: of the frame.

        Returns:
            float32 `[4, 4]` in cm: camera at 0, x to the right, y up, looking along -z; or None
            where the landmarks have no extent.
        """
        tall = 2 * math.tan(_FIELD_OF_VIEW / 2)  # of the picture at distance 1
        seen = landmarks[: self._count].astype(np.float64) * (tall / height)
        seen[:, 0] -= tall * width / height / 2
        seen[:, 1] = tall / 2 - seen[:, 1]
        middle = float(seen[:, 2].mean())
        seen = seen[self._used]
        flat = seen * (1, 1, -1)
        scale = 1.0
        try:
            scale = self._scale(flat)
            scale *= self._scale(_placed(seen, middle, scale))
            return self._fit(_placed(seen, middle, scale)).astype(np.float32)
        except (ValueError, np.linalg.LinAlgError):
            return None

    def _fit(self, target: Matrix) -> Matrix:
        return similarity(self._points, target, self._weights)

    def _scale(self, target: Matrix) -> float:
        return float(np.linalg.norm(self._fit(target)[:3, 0]))


def _placed(seen: Matrix, middle: float, scale: float) -> Matrix:
    """Landmarks in cm, where a face of this scale stands before the camera."""
    depth = (seen[:, 2] - middle + 1) / scale
    return np.stack([seen[:, 0] * depth, seen[:, 1] * depth, -depth], -1)


def similarity(source: Matrix, target: Matrix, weights: Matrix) -> Matrix:
    """The rotation, scale and shift that take points to others with the least weighted error.

    Args:
        source: `[N, 3]`.
        target: `[N, 3]`.
        weights: `[N]`, not negative, with a sum above 0.

    Returns:
        float64 `[4, 4]`.

    Raises:
        ValueError: the points have no extent.
    """
    shares = (weights / weights.sum())[:, None]
    from_centre, to_centre = (source * shares).sum(0), (target * shares).sum(0)
    centred = source - from_centre
    left, _, right = np.linalg.svd((target * shares).T @ centred)
    if np.linalg.det(left) * np.linalg.det(right) < 0:  # no mirroring
        left[:, 2] *= -1
    rotation = left @ right
    size = float((centred * source * shares).sum())
    scale = float((centred @ rotation.T * target * shares).sum()) / max(size, 1e-12)
    if not scale > 1e-9:
        raise ValueError("the points have no extent")
    matrix = np.eye(4)
    matrix[:3, :3] = scale * rotation
    matrix[:3, 3] = to_centre - matrix[:3, :3] @ from_centre
    return matrix
