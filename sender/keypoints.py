"""`KeypointSource`: where the motion of a frame comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..codec.motion import MotionFrame
from ..models.face import FaceTable
from ..models.keypoints import MeshKeypoints

__all__ = ["KeypointSource", "MeshSource", "Observation"]


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known of a frame that shows the face.

    Attributes:
        picture: the crop, uint8 RGB `[size, size, 3]`.
        landmarks: float32 `[478, 2]` on [-1, 1] of the crop.
        seconds: presentation time.
    """

    picture: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    seconds: float = 0.0


class KeypointSource(Protocol):
    """Turns observations into motion; keeps what it needs of the last keyframe."""

    def keyframe(self, seen: Observation) -> MotionFrame:
        """Motion of a frame that becomes the keyframe."""

    def motion(self, seen: Observation) -> MotionFrame:
        """Motion of any other frame."""


class MeshSource:
    """The default: keypoints in closed form from the face mesh. No network, no torch."""

    def __init__(self, table: FaceTable) -> None:
        self._keypoints = MeshKeypoints(table)

    def keyframe(self, seen: Observation) -> MotionFrame:
        """Motion of a frame that becomes the keyframe."""
        return self._keypoints.keyframe(seen.landmarks)

    def motion(self, seen: Observation) -> MotionFrame:
        """Motion of any other frame."""
        return self._keypoints.motion(seen.landmarks)
