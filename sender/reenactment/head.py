"""`Head`: a face's whole mesh in the coordinates of its own head, and where that head is.

The driver and the portrait are compared and moved in these coordinates. They need the depth of the
face tracker, which only a sender has.

The canonical face is fitted to the mesh by a similarity (`tracking/pose.py`), here without
perspective: what counts is the crop that is shown, not the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError, MediaError
from ...models.face.canonical import CanonicalFace, load_canonical
from ...models.face.observation import Observation
from ..tracking.pose import similarity

__all__ = ["Head", "HeadFinder"]

Points = npt.NDArray[np.float64]

_FLIP = np.array([1.0, -1.0, -1.0])  # canonical: y up, z nearer; mesh: y down, z farther


@dataclass(frozen=True, slots=True)
class Head:
    """A head in a crop.

    Attributes:
        local: float64 `[478, 3]`, the mesh about the head's centre, turned back to the front and
            scaled to cm of the canonical face: x to the right of the picture, y down, z away.
        rotation: `[3, 3]`, turns the front to where the head looks.
        size: units of the crop (half its side) in a cm.
        centre: `[2]` on [-1, 1] of the crop.
        flat: float64 `[478, 2]`, the mesh as it was seen, about the centre.
        gaze: float32 `[2]`, where the eyes look (`models.face.gaze`).
    """

    local: Points
    rotation: Points
    size: float
    centre: Points
    flat: Points
    gaze: npt.NDArray[np.float32]

    @property
    def aside(self) -> float:
        """Degrees between where the head looks and the camera."""
        return math.degrees(math.acos(float(np.clip(self.rotation[2, 2], -1, 1))))

    def turn_to(self, other: Head) -> float:
        """Angle in radians between where two heads look."""
        cosine = (np.trace(self.rotation.T @ other.rotation) - 1) / 2
        return math.acos(float(np.clip(cosine, -1, 1)))


class HeadFinder:
    """Finds heads in tracked meshes.

    Args:
        face: the canonical face.
    """

    def __init__(self, face: CanonicalFace) -> None:
        self._used = np.flatnonzero(face.weights)
        self._points = face.points[self._used] * _FLIP
        self._weights = face.weights[self._used]

    @classmethod
    def load(cls, path: Path) -> HeadFinder:
        """With the canonical face of a `face_landmarker.task`. Raises `WeightsError`."""
        return cls(load_canonical(path))

    def find(self, seen: Observation) -> Head:
        """The head of an observed face; `seen.steady` counts where it is there.

        Raises:
            ConfigError: the tracker gave no depth.
            MediaError: the mesh has no extent.
        """
        if seen.depth is None:
            raise ConfigError("a portrait needs a face tracker that gives the depth of landmarks")
        points = seen.landmarks if seen.steady is None else seen.steady
        mesh = np.concatenate([points, seen.depth[:, None]], 1).astype(np.float64)
        try:
            matrix = similarity(self._points, mesh[self._used], self._weights)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise MediaError("the face has no extent") from error
        size = float(np.linalg.norm(matrix[:3, 0]))
        rotation, centre = matrix[:3, :3] / size, matrix[:3, 3]
        about = mesh - centre
        local = about @ rotation / size
        return Head(local, rotation, size, centre[:2], about[:, :2], seen.gaze)
