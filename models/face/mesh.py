"""The face mesh: which landmarks are used, and how the 60 numbers are computed from them.

Landmarks are the 478 points of MediaPipe's FaceLandmarker in coordinates of the picture: float32
`[..., 478, 2]` on [-1, 1]. Sender, receiver and training all use this file; it needs numpy alone.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

__all__ = [
    "CHANNELS",
    "IRISES",
    "LANDMARKS",
    "LEFT_EYE",
    "MOUTH",
    "POINTS",
    "REGIONS",
    "REGION_NAMES",
    "RIGHT_EYE",
    "RegionMaps",
    "centroids",
    "mirror_map",
    "openings",
    "region_maps",
    "select_points",
]

Array = npt.NDArray[np.float32]

LANDMARKS = 478

# Contours as chains of mesh indices; left and right are those of the person shown.
_LIP_OUTER_UPPER = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
_LIP_OUTER_LOWER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
_LIP_INNER_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LIP_INNER_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_RIGHT_EYE_UPPER = (33, 246, 161, 160, 159, 158, 157, 173, 133)
_RIGHT_EYE_LOWER = (33, 7, 163, 144, 145, 153, 154, 155, 133)
_LEFT_EYE_UPPER = (263, 466, 388, 387, 386, 385, 384, 398, 362)
_LEFT_EYE_LOWER = (263, 249, 390, 373, 374, 380, 381, 382, 362)
_RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
_LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
_OVAL: tuple[int, ...] = (
    10,
    338,
    297,
    332,
    284,
    251,
    389,
    356,
    454,
    323,
    361,
    288,
    397,
    365,
    379,
    378,
    400,
    377,
)
_OVAL += (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
_NOSE_BRIDGE = (168, 6, 197, 195, 5, 4, 1, 19, 94)
_NOSE_BASE = (129, 64, 98, 97, 2, 326, 327, 294, 358)

REGION_NAMES = (
    "nose",
    "right_eye",
    "left_eye",
    "right_brow",
    "left_brow",
    "upper_lip",
    "lower_lip",
    "right_mouth_corner",
    "left_mouth_corner",
    "chin",
)
REGIONS: tuple[tuple[int, ...], ...] = (
    (*_NOSE_BRIDGE, *_NOSE_BASE, 33, 133, 263, 362),
    (*_RIGHT_EYE_UPPER, *_RIGHT_EYE_LOWER[1:-1]),
    (*_LEFT_EYE_UPPER, *_LEFT_EYE_LOWER[1:-1]),
    _RIGHT_BROW,
    _LEFT_BROW,
    (*_LIP_OUTER_UPPER, *_LIP_INNER_UPPER),
    (*_LIP_OUTER_LOWER, *_LIP_INNER_LOWER),
    (61, 185, 146, 76, 184, 77, 62, 183, 96, 78, 191, 95, 57, 186, 43, 106, 207, 216, 212, 202),
    (291, 409, 375, 306, 408, 307, 292, 407, 325, 308, 415, 324)
    + (287, 410, 273, 335, 427, 436, 432, 422),
    (152, 148, 377, 176, 400, 149, 378, 175, 199, 200, 208, 428, 171, 396),
)
"""Mesh indices of the ten regions, in the order of `MotionFrame`'s keypoints.

Upper and lower lip are separate regions, since one affine map cannot open a closed mouth.
"""


def _union() -> tuple[int, ...]:
    chains: tuple[tuple[int, ...], ...] = (
        _LIP_OUTER_UPPER,
        _LIP_OUTER_LOWER[1:-1],
        _LIP_INNER_UPPER,
        _LIP_INNER_LOWER[1:-1],
    )
    chains += (_RIGHT_EYE_UPPER, _RIGHT_EYE_LOWER[1:-1], _LEFT_EYE_UPPER, _LEFT_EYE_LOWER[1:-1])
    chains += (_RIGHT_BROW, _LEFT_BROW, _OVAL, _NOSE_BRIDGE, _NOSE_BASE)
    return tuple(dict.fromkeys(itertools.chain.from_iterable(chains)))


POINTS: tuple[int, ...] = _union()
"""Mesh indices of the landmarks that a keyframe sends and that the receiver draws."""
_POINTS_AT = np.array(POINTS)
_AT = {index: position for position, index in enumerate(POINTS)}


def _chain(*indices: int) -> tuple[tuple[int, int], ...]:
    return tuple((_AT[a], _AT[b]) for a, b in itertools.pairwise(indices))


CHANNELS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("lips_outer", (*_chain(*_LIP_OUTER_UPPER), *_chain(*_LIP_OUTER_LOWER))),
    ("lip_inner_upper", _chain(*_LIP_INNER_UPPER)),
    ("lip_inner_lower", _chain(*_LIP_INNER_LOWER)),
    ("lids_upper", (*_chain(*_RIGHT_EYE_UPPER), *_chain(*_LEFT_EYE_UPPER))),
    ("lids_lower", (*_chain(*_RIGHT_EYE_LOWER), *_chain(*_LEFT_EYE_LOWER))),
    (
        "outline",
        (*_chain(*_OVAL, _OVAL[0]), *_chain(*_NOSE_BRIDGE), *_chain(*_NOSE_BASE))
        + (*_chain(*_RIGHT_BROW), *_chain(*_LEFT_BROW)),
    ),
)
"""Channels of the landmark drawing: name and line segments, as positions in `POINTS`.

Upper and lower edges are drawn in separate channels, so that an open mouth differs from a closed
one by more than the distance of two lines.
"""

MOUTH: tuple[int, ...] = (*_LIP_OUTER_UPPER, *_LIP_OUTER_LOWER[1:-1])
MOUTH += (*_LIP_INNER_UPPER, *_LIP_INNER_LOWER[1:-1])
"""Mesh indices of the mouth's 40 contour points."""
RIGHT_EYE: tuple[int, ...] = REGIONS[1]
LEFT_EYE: tuple[int, ...] = REGIONS[2]


IRISES: tuple[int, ...] = (468, 473)
"""Mesh indices of the centres of the irises; the person's right one comes first."""


def select_points(landmarks: Array) -> Array:
    """The landmarks in `POINTS`: `[..., 478, 2]` → `[..., len(POINTS), 2]`."""
    return landmarks[..., _POINTS_AT, :]


def region_maps(source: Array, driving: Array, ridge: float = 1e-3) -> Array:
    """Least-squares 2x2 map of each region, relative to the centroids of the region.

    Args:
        source: float32 `[..., 478, 2]`, the landmarks that are mapped.
        driving: float32 `[..., 478, 2]`, where they are mapped to.
        ridge: how strongly each map is pulled towards the similarity of the rigid part, relative
            to the region's extent; this keeps the maps of thin regions (closed eyes, pressed
            lips) bounded.

    Returns:
        float32 `[..., 10, 2, 2]`: `driving - its centroid ≈ map @ (source - its centroid)`.
    """
    return RegionMaps(source, ridge).to(driving)


class RegionMaps:
    """`region_maps` of one source, for many driving landmarks.

    Args:
        source, ridge: as of `region_maps`.
    """

    def __init__(self, source: Array, ridge: float = 1e-3) -> None:
        self._source, self._points = source, _about_centroids(source)
        xx = _sums(self._points[..., :, None] * self._points[..., None, :]).astype(np.float64)
        self._weight = ridge * np.trace(xx, axis1=-2, axis2=-1)[..., None, None] + 1e-9
        self._system = (xx + self._weight * np.eye(2)).swapaxes(-1, -2)

    def to(self, driving: Array) -> Array:
        """The maps to these landmarks, as of `region_maps`."""
        prior = _similarity(self._source, driving)[..., None, :, :]
        y = _about_centroids(driving)
        yx = _sums(y[..., :, None] * self._points[..., None, :]).astype(np.float64)
        right = yx + self._weight * prior
        maps = np.linalg.solve(self._system, right.swapaxes(-1, -2))
        return np.asarray(maps.swapaxes(-1, -2), np.float32)


_REGIONS_AT = [np.array(region) for region in REGIONS]
_INDICES = np.concatenate(_REGIONS_AT)
_COUNTS = np.array([len(region) for region in REGIONS])
_STARTS = np.cumsum(_COUNTS) - _COUNTS
_REGION = np.repeat(np.arange(len(REGIONS)), _COUNTS)  # of each index


def _about_centroids(landmarks: Array) -> Array:
    """The landmarks of all regions, one region after the other, less its centroid."""
    points = landmarks[..., _INDICES, :]
    means = np.add.reduceat(points, _STARTS, axis=-2) / _COUNTS[:, None].astype(np.float32)
    return np.asarray(points - means[..., _REGION, :])


def _sums(products: Array) -> Array:
    """Sums of `[..., points, 2, 2]` over the points of each region: `[..., 10, 2, 2]`."""
    return np.asarray(np.add.reduceat(products, _STARTS, axis=-3))


def _similarity(source: Array, driving: Array) -> npt.NDArray[np.float64]:
    """Scale and rotation of the rigid part, nose and eye corners, as `[..., 2, 2]`."""
    rigid = _REGIONS_AT[0]
    x = source[..., rigid, :] - source[..., rigid, :].mean(-2, keepdims=True)
    y = driving[..., rigid, :] - driving[..., rigid, :].mean(-2, keepdims=True)
    norm = np.maximum((x * x).sum((-1, -2)), 1e-12).astype(np.float64)
    a = (x * y).sum((-1, -2)) / norm
    b = (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]).sum(-1) / norm
    return np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], -2)


def centroids(landmarks: Array) -> Array:
    """Centroids of the regions: `[..., 478, 2]` → `[..., 10, 2]`."""
    sums = np.stack([landmarks[..., region, :].sum(-2) for region in _REGIONS_AT], axis=-2)
    return np.asarray(sums / _COUNTS[:, None].astype(np.float32), np.float32)


def openings(landmarks: Array) -> Array:
    """How far eyes and mouth are open, relative to their widths: `[..., 478, 2]` → `[..., 2]`."""

    def length(a: int, b: int) -> Array:
        return np.asarray(np.linalg.norm(landmarks[..., a, :] - landmarks[..., b, :], axis=-1))

    eyes = (length(159, 145) + length(386, 374)) / (length(33, 133) + length(263, 362) + 1e-6)
    mouth = length(13, 14) / (length(78, 308) + 1e-6)
    return np.stack([eyes, mouth], -1).astype(np.float32)


def mirror_map() -> npt.NDArray[np.int64]:
    """For each landmark the one that takes its place in a mirror, `[478]`; unused ones stay."""
    chin = REGIONS[9]
    pairs = [
        *((chain, chain[::-1]) for chain in (_LIP_OUTER_UPPER, _LIP_OUTER_LOWER)),
        *((chain, chain[::-1]) for chain in (_LIP_INNER_UPPER, _LIP_INNER_LOWER, _NOSE_BASE)),
        (_RIGHT_EYE_UPPER, _LEFT_EYE_UPPER),
        (_RIGHT_EYE_LOWER, _LEFT_EYE_LOWER),
        (_RIGHT_BROW, _LEFT_BROW),
        (_OVAL, (_OVAL[0], *_OVAL[:0:-1])),
        (REGIONS[7], REGIONS[8]),
        (IRISES[:1], IRISES[1:]),
        (chin, (152, 377, 148, 400, 176, 378, 149, 175, 199, 200, 428, 208, 396, 171)),
    ]
    result = np.arange(LANDMARKS)
    for right, left in pairs:
        for a, b in zip(right, left, strict=True):
            result[a], result[b] = b, a
    return result
