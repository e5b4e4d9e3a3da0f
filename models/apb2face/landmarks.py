"""The 106 landmarks of APB2Face as points of MediaPipe's mesh, and blinks measured on them.

The paper's landmarks are those of Face++: 33 of the contour, 9 of each brow, 10 of each eye with
its pupil, 15 of the nose and 20 of the mouth. The mesh has other points than Face++; here each part
has as many points of the mesh, spread over the same lines.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["COUNT", "TABLE", "blinks", "select_106"]

Array = npt.NDArray[np.float32]

_PARTS: dict[str, tuple[int, ...]] = {
    # The oval of the mesh without its three top points, as it is drawn from the forehead down.
    "contour": (
        *(67, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148),
        152,
        *(377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356, 389, 251, 284, 332, 297),
    ),
    "right_brow": (70, 63, 105, 66, 107, 55, 65, 52, 53),
    "left_brow": (336, 296, 334, 293, 300, 276, 283, 282, 295),
    "right_eye": (33, 161, 159, 158, 133, 153, 145, 163, 160, 468),
    "left_eye": (362, 385, 386, 388, 263, 390, 374, 380, 387, 473),
    "nose": (168, 6, 197, 195, 5, 4, 129, 64, 98, 97, 2, 326, 327, 294, 358),
    "mouth": (
        *(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
        *(78, 81, 13, 311, 308, 402, 14, 178),
    ),
}
TABLE: tuple[int, ...] = tuple(index for part in _PARTS.values() for index in part)
"""Mesh indices of the 106 landmarks, in the order of the predictor's output."""
COUNT = 106

_LIDS = ((33, 133, ((160, 144), (158, 153))), (362, 263, ((385, 380), (387, 373))))


def select_106(landmarks: Array) -> Array:
    """The landmarks of `TABLE`: float32 `[..., 478, 2]` → `[..., 106, 2]`."""
    return landmarks[..., TABLE, :]


def blinks(landmarks: Array) -> Array:
    """Height over width of each eye (section 3): `[..., 478, 2]` → `[..., 2]`, right, then left.

    The height is the mean of two pairs of points of the lids. 0 is closed; open eyes have about
    0.25 to 0.45.
    """

    def length(a: int, b: int) -> Array:
        return np.asarray(np.linalg.norm(landmarks[..., a, :] - landmarks[..., b, :], axis=-1))

    ratios = []
    for outer, inner, pairs in _LIDS:
        height = np.mean([length(*pair) for pair in pairs], axis=0)
        ratios.append(height / np.maximum(length(outer, inner), 1e-6))
    return np.stack(ratios, -1).astype(np.float32)
