"""`Poses`: what the profiles `pose` and `pose-fp16` send of each frame."""

from __future__ import annotations

from ...codec.motion.pose import PoseFrame
from ...models.face.mesh import select_points
from ...models.face.observation import Observation
from ...models.face.posing import PosedFace

__all__ = ["Poses"]


class Poses:
    """Head poses and openings of the eyes, each relative to a reference's own face."""

    def __init__(self) -> None:
        self._faces: dict[int, PosedFace] = {}

    def keyframe(self, seen: Observation, identity: int) -> None:
        """Take the frame that becomes the reference of this id, 0 to 15."""
        self._faces[identity] = PosedFace(select_points(seen.landmarks))

    def still(self, identity: int) -> PoseFrame:
        """The pose of that reference itself."""
        return self._faces[identity].still

    def motion(self, seen: Observation, identity: int) -> PoseFrame:
        """The pose of a frame that is animated from that reference."""
        landmarks = seen.landmarks if seen.steady is None else seen.steady
        return self._faces[identity].look(select_points(landmarks))
