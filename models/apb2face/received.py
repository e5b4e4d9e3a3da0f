"""What a receiver has of a face, as the two reenactors are given it.

A receiver knows the landmarks in `POINTS` and, in streams with gaze, the irises. All that the
reenactors see is computed from these, in training too, so that both see the same.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..face.canonical import CanonicalFace
from ..face.gaze import with_irises
from ..face.mesh import IRISES, LANDMARKS, POINTS

__all__ = ["head_of", "mesh_of"]

Array = npt.NDArray[np.float32]
_SENT = np.array([*POINTS, *IRISES])


def mesh_of(points: Array) -> Array:
    """Landmarks in their places in the mesh: `[..., P, 2]` → float32 `[..., 478, 2]`.

    `points` may end with both irises; without them, irises lie in the middle between the corners
    of their eyes. Places of landmarks that are not sent hold zeros.
    """
    if points.shape[-2] == len(POINTS):
        points = with_irises(points, np.zeros((*points.shape[:-2], 2), np.float32))
    mesh = np.zeros((*points.shape[:-2], LANDMARKS, 2), np.float32)
    mesh[..., _SENT, :] = points
    return mesh


def head_of(face: CanonicalFace) -> CanonicalFace:
    """The canonical face with the landmarks in `POINTS` only, in their order, and no triangles.

    `HeadAngles` of it measures the pose of a head on `[..., P, 2]`.
    """
    chosen = np.array(POINTS)
    return CanonicalFace(face.points[chosen], face.weights[chosen], np.zeros((0, 3), np.int32))
