"""Landmarks at the receiver: rebuilt from the keyframe's landmarks and the 60 numbers of a frame.

Each region of the mesh moves by its affine map. A ridge regression, fitted on training clips
(`training/fit_face.py`), corrects what an affine map cannot express, such as the corners of an
opening mouth or the curve of a lid. This needs numpy alone and takes a few hundred microseconds
for each frame.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import POINTS, REGIONS, centroids, select_points
from .table import FaceTable

__all__ = [
    "PointRebuilder",
    "affine_points",
    "memberships",
    "motion_features",
    "normalised_shape",
    "relative_maps",
]

Array = npt.NDArray[np.float32]
_RIGID = [0, 1, 2, 3, 4]  # nose, eyes and brows: keypoints that do not move with speech


def relative_maps(source: Array, driving: Array) -> Array:
    """`J_driving J_source⁻¹` for jacobians `[..., 2, 2]`; nearly singular sources are damped."""
    a, b, c, d = (source[..., i, j] for i in (0, 1) for j in (0, 1))
    determinant = a * d - b * c
    floor = 1e-4
    sign = np.where(determinant < 0, -1.0, 1.0)
    determinant = sign * np.maximum(np.abs(determinant), floor)
    inverse = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2)
    return np.asarray(driving @ (inverse / determinant[..., None, None]), np.float32)


def memberships(mean: Array) -> Array:
    """How much each region contributes to moving each point: `[P, 10]`; rows sum to 1."""
    points = select_points(mean)
    distance = ((points[:, None] - centroids(mean)[None]) ** 2).sum(-1)
    weight = 1.0 / (distance + 1e-3) ** 2
    for row, index in enumerate(POINTS):
        inside = np.array([index in region for region in REGIONS])
        if inside.any():
            weight[row] = inside
    return np.asarray(weight / weight.sum(1, keepdims=True), np.float32)


def affine_points(weights: Array, source: Array, points: Array, driving: Array) -> Array:
    """Move points by the affine maps of their regions.

    Args:
        weights: `memberships` of the mean face, `[P, 10]`.
        source: keyframe's numbers `[..., 10, 6]`.
        points: keyframe's points `[..., P, 2]`.
        driving: the frame's numbers `[..., 10, 6]`.

    Returns:
        float32 `[..., P, 2]`.
    """
    maps = relative_maps(_jacobian(source), _jacobian(driving))
    offset = points[..., :, None, :] - source[..., None, :, :2]
    moved = np.einsum("...kij,...pkj->...pki", maps, offset) + driving[..., None, :, :2]
    return np.asarray(np.einsum("pk,...pki->...pi", weights, moved), np.float32)


def _jacobian(numbers: Array) -> Array:
    return numbers[..., 2:].reshape(*numbers.shape[:-1], 2, 2)


def _rigid(source: Array, driving: Array) -> tuple[Array, Array, Array]:
    """Similarity of the rigid keypoints, source → driving: linear part, and both centres."""
    x, y = source[..., _RIGID, :2], driving[..., _RIGID, :2]
    cx, cy = x.mean(-2), y.mean(-2)
    x, y = x - cx[..., None, :], y - cy[..., None, :]
    norm = np.maximum((x * x).sum((-1, -2)), 1e-9)
    a = (x * y).sum((-1, -2)) / norm
    b = (x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]).sum(-1) / norm
    linear = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], -2)
    return linear.astype(np.float32), cx.astype(np.float32), cy.astype(np.float32)


def _face_size(source: Array) -> Array:
    """Size of a face, `[...]`: how far the keyframe's rigid keypoints are spread."""
    x = source[..., _RIGID, :2]
    x = x - x.mean(-2, keepdims=True)
    return np.asarray(np.maximum(np.sqrt((x * x).sum((-1, -2))), 1e-3), np.float32)


def motion_features(
    table: FaceTable, source: Array, points: Array, driving: Array
) -> tuple[Array, Array]:
    """Features for the regression, and the axes in which its correction is expressed.

    Returns:
        features `[..., 793]`; axes `[..., 2, 2]`, which map face units to the picture.
    """
    linear, cx, cy = _rigid(source, driving)
    size = _face_size(source)[..., None, None]
    undo = relative_maps(linear, np.broadcast_to(np.eye(2, dtype=np.float32), linear.shape))
    back = np.einsum("...ij,...kj->...ki", undo, driving[..., :2] - cy[..., None, :])
    shift = (back - (source[..., :2] - cx[..., None, :])) / size
    maps = undo[..., None, :, :] @ relative_maps(_jacobian(source), _jacobian(driving))
    maps = maps - np.eye(2, dtype=np.float32)
    motion = np.concatenate([shift, maps.reshape(*maps.shape[:-2], 4)], -1)
    motion = np.clip(motion.reshape(*motion.shape[:-2], 60), -2.0, 2.0)
    shape = normalised_shape(source, points) - table.shape_mean
    code = np.clip(shape @ table.shape_basis.T, -3.0, 3.0)
    product = (motion[..., :, None] * code[..., None, :]).reshape(*motion.shape[:-1], -1)
    one = np.ones((*motion.shape[:-1], 1), np.float32)
    features = np.concatenate([one, motion, code, product], -1).astype(np.float32)
    return features, (linear * size).astype(np.float32)


def normalised_shape(source: Array, points: Array) -> Array:
    """Keyframe points about the centre of the rigid keypoints, in face units: `[..., P * 2]`."""
    centre = source[..., _RIGID, :2].mean(-2)
    shape = (points - centre[..., None, :]) / _face_size(source)[..., None, None]
    return np.asarray(shape.reshape(*shape.shape[:-2], -1), np.float32)


class PointRebuilder:
    """Rebuilds the landmarks of driving frames, as the docstring of this module describes."""

    def __init__(self, table: FaceTable) -> None:
        self._table = table
        self._weights = memberships(table.mean)

    def rebuild(self, source: Array, points: Array, driving: Array) -> Array:
        """Points of driving frames, `[..., P, 2]`.

        Args:
            source: keyframe's numbers `[..., 10, 6]`.
            points: keyframe's points `[..., P, 2]`.
            driving: the frame's numbers `[..., 10, 6]`.
        """
        base = affine_points(self._weights, source, points, driving)
        features, basis = motion_features(self._table, source, points, driving)
        delta = (features @ self._table.ridge).reshape(*points.shape)
        return np.asarray(base + np.einsum("...ij,...pj->...pi", basis, delta), np.float32)
