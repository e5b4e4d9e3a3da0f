"""`FaceTable`: statistics of faces in general, measured on training clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from .mesh import LANDMARKS, POINTS

__all__ = ["FEATURES", "SHAPE_COMPONENTS", "FaceTable"]

Array = npt.NDArray[np.float32]
SHAPE_COMPONENTS = 12
FEATURES = 1 + 60 + SHAPE_COMPONENTS + 60 * SHAPE_COMPONENTS


@dataclass(frozen=True)
class FaceTable:
    """Statistics of faces, measured on training clips; stored inside every model's weights.

    Attributes:
        mean: float32 `[478, 2]`, mean face relative to its centre, with nose scale 1.
        shape_mean: float32 `[P * 2]`, mean of the normalised shapes of `POINTS`.
        shape_basis: float32 `[12, P * 2]`, their principal components, whitened.
        ridge: float32 `[793, P * 2]`, regression that corrects the affine prediction, in face
            units (`landmarks.py`).
    """

    mean: Array
    shape_mean: Array
    shape_basis: Array
    ridge: Array

    NAMES: ClassVar = ("mean", "shape_mean", "shape_basis", "ridge")

    @classmethod
    def blank(cls) -> FaceTable:
        """A table for untrained networks: a flat disc as mean face, and no correction."""
        angle = np.arange(LANDMARKS) * 2.399963  # the golden angle spreads points evenly
        radius = np.sqrt(np.arange(LANDMARKS) / LANDMARKS)
        mean = np.stack([np.cos(angle), np.sin(angle)], -1) * radius[:, None]
        size = len(POINTS) * 2
        return cls(
            mean.astype(np.float32),
            np.zeros(size, np.float32),
            np.zeros((SHAPE_COMPONENTS, size), np.float32),
            np.zeros((FEATURES, size), np.float32),
        )
