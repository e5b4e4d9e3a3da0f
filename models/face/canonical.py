"""The canonical face: the 3D mesh from which MediaPipe measures head poses.

It lies in `face_landmarker.task` as a protocol buffer; the few fields that are needed are read
here, without a library for it.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import WeightsError

__all__ = ["CanonicalFace", "load_canonical", "read_canonical"]

_MEMBER = "geometry_pipeline_metadata_landmarks.binarypb"
_VERTEX = 5  # numbers of a vertex: x, y, z, and u and v of a texture


@dataclass(frozen=True, slots=True)
class CanonicalFace:
    """The mesh and how it is fitted.

    Attributes:
        points: float64 `[468, 3]` in cm: x to the subject's left, y up, z towards the camera.
        weights: float64 `[468]`, how much each point counts in a fit; most are 0.
        triangles: int32 `[T, 3]`, indices of points.
    """

    points: npt.NDArray[np.float64]
    weights: npt.NDArray[np.float64]
    triangles: npt.NDArray[np.int32]


def load_canonical(path: Path) -> CanonicalFace:
    """The canonical face in a `face_landmarker.task`.

    Raises:
        WeightsError: not such a file.
    """
    try:
        with zipfile.ZipFile(path) as task:
            return read_canonical(task.read(_MEMBER))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a face landmarker's task file: {error}") from error


def read_canonical(data: bytes) -> CanonicalFace:
    """Read the protocol buffer of the canonical face.

    Args:
        data: field 1 is the mesh, with vertices' numbers in its fields 3 and triangles' corners in
            its fields 4; each field 2 is the index (field 1) and the weight (field 2) of a
            landmark that counts.

    Raises:
        WeightsError: the bytes hold no such face.
    """
    numbers: list[float] = []
    corners: list[int] = []
    counted: dict[int, float] = {}
    try:
        for field, value in _fields(data):
            if field == 1:
                for inner, part in _fields(_bytes(value)):
                    if inner == 3:
                        numbers.append(_float(part))
                    elif inner == 4:
                        corners.append(_integer(part))
            elif field == 2:
                pair = dict(_fields(_bytes(value)))
                counted[_integer(pair[1])] = _float(pair[2])
        points = np.array(numbers).reshape(-1, _VERTEX)[:, :3]
        triangles = np.array(corners, np.int32).reshape(-1, 3)
        weights = np.zeros(len(points))
        weights[list(counted)] = list(counted.values())
        if not weights.sum() > 0 or triangles.max() >= len(points):
            raise ValueError("it has no points that count")
    except (ValueError, IndexError, KeyError, struct.error) as error:
        raise WeightsError(f"the canonical face cannot be read: {error}") from error
    return CanonicalFace(points, weights, triangles)


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
            raise ValueError(f"wire type {kind} is not expected")
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


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a whole number stands where a message should")
    return value


def _integer(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("a message stands where a whole number should")
    return value


def _float(value: int | bytes) -> float:
    return float(struct.unpack("<f", _bytes(value))[0])
