"""RGB to the 4:2:0 planes of the still codecs and back, in integers: the same on every machine.

As in JPEG files (JFIF 1.02; ITU-T T.871): the matrix of BT.601, full range, and chroma samples in
the middle of their four pixels. This holds for every still codec, whatever its bitstream says.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["rgb_to_yuv420", "yuv420_to_rgb"]

Plane = npt.NDArray[np.integer]
_FORWARD = np.array(
    [[0.299, 0.587, 0.114], [-0.168735892, -0.331264108, 0.5], [0.5, -0.418687589, -0.081312411]]
)
_BITS = 16
_RED_V, _GREEN_U, _GREEN_V, _BLUE_U = (
    round(weight * (1 << _BITS)) for weight in (1.402, -0.344136286, -0.714136286, 1.772)
)


def rgb_to_yuv420(rgb: npt.NDArray[np.uint8], depth: int = 8) -> tuple[Plane, Plane, Plane]:
    """Turn a picture into planes.

    Args:
        rgb: uint8 `[H, W, 3]`, H and W even.
        depth: bits of a sample, 8 or 10; the range is full, so that 8 bits span 0..255.

    Returns:
        Y `[H, W]`, U and V `[H/2, W/2]`. Chroma is the mean of each four pixels.
    """
    high = (1 << depth) - 1
    weights = np.round(_FORWARD * (1 << _BITS) * high / 255).astype(np.int64)
    pixels = rgb.astype(np.int64)
    blocks = pixels.reshape(rgb.shape[0] // 2, 2, rgb.shape[1] // 2, 2, 3).sum(axis=(1, 3))
    luma = (pixels @ weights[0] + (1 << _BITS >> 1)) >> _BITS
    middle = 1 << (depth - 1)
    chroma = [((blocks @ row + (1 << _BITS << 1)) >> (_BITS + 2)) + middle for row in weights[1:]]
    kind = np.uint8 if depth == 8 else np.uint16
    y, u, v = (np.clip(plane, 0, high).astype(kind) for plane in (luma, *chroma))
    return y, u, v


def yuv420_to_rgb(y: Plane, u: Plane, v: Plane, depth: int = 8) -> npt.NDArray[np.uint8]:
    """Inverse of `rgb_to_yuv420`. Chroma is interpolated linearly (weights 9, 3, 3, 1)."""
    height, width = y.shape
    high = (1 << depth) - 1
    middle = 16 << (depth - 1)  # `_upsample` multiplies by 16
    blue = _upsample(u)[:height, :width] - middle
    red = _upsample(v)[:height, :width] - middle
    luma = y.astype(np.int64) << (_BITS + 4)
    planes = (luma + _RED_V * red, luma + _GREEN_U * blue + _GREEN_V * red, luma + _BLUE_U * blue)
    # One rounding for the fixed point and the depth: x * 255 / (high << 20), to the nearest.
    scale = high << (_BITS + 4)
    rgb = np.stack([(plane * 510 + scale) // (2 * scale) for plane in planes], axis=2)
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _upsample(plane: Plane) -> npt.NDArray[np.int64]:
    """`[H/2, W/2]` → `[H, W]`; values are multiplied by 16."""
    return _double(_double(plane.astype(np.int64)).T).T


def _double(plane: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Double the rows, with values times 4: 3/4 of the nearer and 1/4 of the other neighbour."""
    padded = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
    rows = np.stack([3 * plane + padded[:-2], 3 * plane + padded[2:]], axis=1)
    return rows.reshape(2 * plane.shape[0], plane.shape[1])
