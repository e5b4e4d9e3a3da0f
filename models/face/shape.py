"""A keyframe's landmarks as bytes: rounded to 10 bits, differences along the contours, deflated."""

from __future__ import annotations

import zlib

import numpy as np
import numpy.typing as npt

from ...codec.errors import StreamError
from ...codec.keyframe import MAX_SHAPE
from .mesh import POINTS

__all__ = ["pack_shape", "unpack_shape"]

_STEP = 2 / 1024  # a quarter of a pixel at 256x256
_REACH = 2048  # steps: landmarks may lie up to one picture's width outside

Array = npt.NDArray[np.float32]


def pack_shape(points: Array) -> bytes:
    """float32 `[P, 2]` on [-1, 1] → about 300 bytes; the error is at most an eighth of a pixel."""
    if points.shape != (len(POINTS), 2) or not np.isfinite(points).all():
        raise StreamError(f"a keyframe's shape has {len(POINTS)} finite points")
    steps = np.clip(np.round(points / _STEP), -_REACH, _REACH).astype(np.int64)
    delta = np.diff(steps, axis=0, prepend=np.zeros((1, 2), np.int64)).T.ravel()
    folded = np.where(delta >= 0, 2 * delta, -2 * delta - 1)
    escape = folded >= 255
    small = np.where(escape, 255, folded).astype(np.uint8).tobytes()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, strategy=zlib.Z_HUFFMAN_ONLY)
    return packer.compress(small + folded[escape].astype("<u2").tobytes()) + packer.flush()


def unpack_shape(data: bytes) -> Array:
    """Inverse of `pack_shape`. Raises `StreamError` on anything that is not its output."""
    if len(data) > MAX_SHAPE:
        raise StreamError(f"a keyframe's shape has at most {MAX_SHAPE} bytes, not {len(data)}")
    count = 2 * len(POINTS)
    unpacker = zlib.decompressobj(-15)
    try:
        raw = unpacker.decompress(data, 3 * count)
    except zlib.error as error:
        raise StreamError(f"a keyframe's shape does not unpack: {error}") from error
    folded = np.frombuffer(raw[:count], np.uint8).astype(np.int64)
    escape = folded == 255
    rest = raw[count:]
    if len(folded) != count or len(rest) != 2 * int(escape.sum()) or not unpacker.eof:
        raise StreamError(f"a keyframe's shape does not hold {len(POINTS)} points")
    folded[escape] = np.frombuffer(rest, "<u2")
    delta = np.where(folded % 2 == 0, folded // 2, -(folded + 1) // 2)
    steps = np.cumsum(delta.reshape(2, -1).T, axis=0)
    if np.abs(steps).max() > _REACH:
        raise StreamError("a keyframe's shape lies far outside the picture")
    return (steps * _STEP).astype(np.float32)
