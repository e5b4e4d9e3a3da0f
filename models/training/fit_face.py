"""Fits the `FaceTable` on training clips: mean face, shape basis and landmark regression."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from ..face.keypoints import MeshKeypoints
from ..face.landmarks import (
    affine_points,
    memberships,
    motion_features,
    normalised_shape,
    relative_maps,
)
from ..face.mesh import select_points
from ..face.table import SHAPE_COMPONENTS, FaceTable

__all__ = ["fit_face_table", "sample_pairs"]

Array = npt.NDArray[np.float32]
Pairs = tuple[Array, Array, Array, Array]


def fit_face_table(
    clips: Iterable[Array], *, pairs_per_clip: int = 24, ridge: float = 3e-4, seed: int = 0
) -> FaceTable:
    """Fit a table on clips of landmarks, float32 `[T, 478, 2]`, without frames that lack a face."""
    rng = np.random.default_rng(seed)
    kept = [clip for clip in clips if len(clip) > 1]
    mean = _mean_face(kept)
    blank = FaceTable.blank()
    table = FaceTable(mean, blank.shape_mean, blank.shape_basis, blank.ridge)
    source, points, driving, target = sample_pairs(table, kept, pairs_per_clip, rng)
    shapes = normalised_shape(source, points)
    shape_mean = shapes.mean(0)
    _, spread, basis = np.linalg.svd(shapes - shape_mean, full_matrices=False)
    scale = spread[:SHAPE_COMPONENTS, None] / np.sqrt(len(shapes))
    table = FaceTable(
        mean, shape_mean, (basis[:SHAPE_COMPONENTS] / scale).astype(np.float32), table.ridge
    )
    weights = memberships(table.mean)
    residual = target - affine_points(weights, source, points, driving)
    features, frame = motion_features(table, source, points, driving)
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), frame.shape)
    delta = np.einsum("...ij,...pj->...pi", relative_maps(frame, eye), residual)
    wanted = delta.reshape(len(delta), -1).astype(np.float64)
    x = features.astype(np.float64)
    gram = x.T @ x
    penalty = ridge * np.diag(gram).mean() * np.eye(len(gram))
    penalty[0, 0] = 0.0
    solution = np.linalg.solve(gram + penalty, x.T @ wanted)
    return FaceTable(mean, shape_mean, table.shape_basis, solution.astype(np.float32))


def sample_pairs(
    table: FaceTable, clips: list[Array], pairs_per_clip: int, rng: np.random.Generator
) -> Pairs:
    """Random pairs of frames: source numbers and points, driving numbers and true points."""
    rows: list[tuple[Array, Array, Array, Array]] = []
    for clip in clips:
        for _ in range(max(1, pairs_per_clip // 8)):
            keypoints = MeshKeypoints(table)
            first = clip[rng.integers(len(clip))]
            source = keypoints.keyframe(first).to_array()
            for frame in clip[rng.integers(len(clip), size=8)]:
                driving = keypoints.motion(frame).to_array()
                rows.append((source, select_points(first), driving, select_points(frame)))
    stacked = [np.stack([row[i] for row in rows]) for i in range(4)]
    return stacked[0], stacked[1], stacked[2], stacked[3]


def _mean_face(clips: list[Array], rounds: int = 5) -> Array:
    """Mean face over one frame of each clip, aligned by similarities (Procrustes), RMS radius 1."""
    faces = np.stack([clip[len(clip) // 2] for clip in clips]).astype(np.float64)
    faces -= faces.mean(1, keepdims=True)
    faces /= np.sqrt((faces**2).sum((1, 2), keepdims=True) / faces.shape[1])
    mean = faces[0]
    for _ in range(rounds):
        z = faces[..., 0] + 1j * faces[..., 1]
        m = mean[:, 0] + 1j * mean[:, 1]
        turn = (z.conj() * m).sum(1, keepdims=True)
        z = z * turn / np.abs(turn)
        average = z.mean(0)
        mean = np.stack([average.real, average.imag], -1)
        mean /= np.sqrt((mean**2).sum() / len(mean))
    return np.asarray(mean, np.float32)
