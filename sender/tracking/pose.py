"""`HeadPose`: position and rotation of the head, MediaPipe's facial transformation matrix.

The canonical face is fitted to the landmarks by a weighted similarity (orthogonal Procrustes:
Gower and Dijksterhuis 2004, section 4; Umeyama 1991). Landmarks are relative in depth, so the
distance from the camera is estimated first, in two steps, from the size of the face.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import WeightsError
from .networks import load_geometry

__all__ = ["CanonicalFace", "HeadPose", "read_canonical", "similarity"]

Points = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_FIELD_OF_VIEW = math.radians(63)  # vertical, of the camera that MediaPipe assumes
_VERTEX = 5  # numbers of a vertex of the canonical face: x, y, z, and a texture's u and v


class CanonicalFace:
    """The face that poses are measured from.

    Attributes:
        points: float64 `[468, 3]` in cm: x to the subject's left, y up, z towards the camera.
        weights: float64 `[468]`, how much each point counts in the fit; most are 0.
    """

    def __init__(self, points: Matrix, weights: Matrix) -> None:
        self.points, self.weights = points, weights


class HeadPose:
    """Fits the canonical face to landmarks.

    Args:
        path: `face_landmarker.task`.

    Raises:
        WeightsError: not such a file.
    """

    def __init__(self, path: Path) -> None:
        face = read_canonical(load_geometry(path))
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


def read_canonical(data: bytes) -> CanonicalFace:
    """Read the canonical face out of MediaPipe's geometry metadata (a protocol buffer).

    Args:
        data: field 1 is the mesh, whose field 3 are the vertices' numbers; each field 2 is the
            index (field 1) and the weight (field 2) of a landmark that counts.

    Raises:
        WeightsError: the bytes hold no such face.
    """
    try:
        numbers: list[float] = []
        counted: dict[int, float] = {}
        for field, value in _fields(data):
            if field == 1 and isinstance(value, bytes):
                numbers = [_float(v) for f, v in _fields(value) if f == 3]
            elif field == 2 and isinstance(value, bytes):
                part = dict(_fields(value))
                counted[int(part[1])] = _float(part[2])  # type: ignore[arg-type]
        points = np.array(numbers).reshape(-1, _VERTEX)[:, :3]
        weights = np.zeros(len(points))
        weights[list(counted)] = list(counted.values())
    except (ValueError, IndexError, KeyError, TypeError, struct.error) as error:
        raise WeightsError(f"the task file's canonical face cannot be read: {error}") from error
    return CanonicalFace(points, weights)


def _float(value: int | bytes) -> float:
    if not isinstance(value, bytes):
        raise ValueError("a whole number where a float should be")
    return float(struct.unpack("<f", value)[0])


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field of a protocol buffer message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            number, at = _varint(data, at)
            yield key >> 3, number
            continue
        if kind == 5:
            size = 4
        elif kind == 2:
            size, at = _varint(data, at)
        else:
            raise ValueError(f"wire type {kind}")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
