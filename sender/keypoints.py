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
        steady: the landmarks smoothed over time, None where they are not.
    """

    picture: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    seconds: float = 0.0
    steady: npt.NDArray[np.float32] | None = None


class KeypointSource(Protocol):
    """Turns observations into motion; keeps what it needs of the references."""

    def keyframe(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that becomes the reference of that id, 0 to 15."""

    def motion(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that is animated from that reference."""

    def close(self) -> None:
        """Free what it holds."""


class MeshSource:
    """The default: keypoints in closed form from the face mesh. No network, no torch."""

    def __init__(self, table: FaceTable) -> None:
        self._table = table
        self._references: dict[int, MeshKeypoints] = {}

    def keyframe(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that becomes the reference of that id, 0 to 15."""
        self._references[identity] = MeshKeypoints(self._table)
        return self._references[identity].keyframe(seen.landmarks)

    def motion(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that is animated from that reference."""
        landmarks = seen.landmarks if seen.steady is None else seen.steady
        return self._references[identity].motion(landmarks)

    def close(self) -> None:
        """Nothing is held."""
