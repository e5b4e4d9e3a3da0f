"""`KeypointSource`: where the motion of a frame comes from."""

from __future__ import annotations

from typing import Protocol

from ...codec.motion.frame import MotionFrame
from ...models.face.keypoints import MeshKeypoints
from ...models.face.observation import Observation
from ...models.face.table import FaceTable
from ...models.weights import Card

__all__ = ["KeypointSource", "MeshSource", "keypoint_source"]


class KeypointSource(Protocol):
    """Turns observations into motion, and keeps what it needs of the references."""

    def keyframe(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that becomes the reference of this id, 0 to 15."""

    def motion(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that is animated from that reference."""

    def close(self) -> None:
        """Free its resources."""


class MeshSource:
    """The default: keypoints from the face mesh in closed form, without network or torch."""

    def __init__(self, table: FaceTable) -> None:
        self._table = table
        self._references: dict[int, MeshKeypoints] = {}

    def keyframe(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that becomes the reference of this id, 0 to 15."""
        self._references[identity] = MeshKeypoints(self._table)
        return self._references[identity].keyframe(seen.landmarks)

    def motion(self, seen: Observation, identity: int) -> MotionFrame:
        """Motion of a frame that is animated from that reference."""
        landmarks = seen.landmarks if seen.steady is None else seen.steady
        return self._references[identity].motion(landmarks)

    def close(self) -> None:
        """There is nothing to free."""


def keypoint_source(card: Card) -> KeypointSource:
    """What a network was trained with: the closed form of the mesh, or a detector of its own."""
    if card.config.get("keypoint_mode", "mesh") == "mesh":
        return MeshSource(card.face_table())
    from ...models.avfr.detector_source import DetectorSource

    return DetectorSource(card.folder)
