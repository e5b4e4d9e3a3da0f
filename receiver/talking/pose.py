"""`PosedKeyframes`: the motion of frames of which only the head's pose and the eyes were sent."""

from __future__ import annotations

from collections import OrderedDict

from ...codec.control import ReferenceState
from ...codec.motion.frame import MotionFrame
from ...codec.motion.pose import PoseFrame
from ...models.face.posing import PosedFace, moved_regions
from ..generators.protocol import Array

__all__ = ["PosedKeyframes"]

_KEPT = 16


class PosedKeyframes:
    """Turns poses into motion, from each keyframe's own face.

    The mouth stays as in the keyframe; `Speech` moves it. No network is needed.
    """

    def __init__(self) -> None:
        self._faces: OrderedDict[ReferenceState, PosedFace] = OrderedDict()

    def motion(
        self, state: ReferenceState, key: MotionFrame, points: Array, pose: PoseFrame
    ) -> MotionFrame:
        """The motion of a frame.

        Args:
            state: which keyframe it is.
            key: motion of that keyframe.
            points: its landmarks, float32 `[P, 2]` on [-1, 1].
            pose: what was sent.

        Raises:
            MotionError: the pose puts the face far outside of any picture.
        """
        face = self._faces.get(state)
        if face is None:
            face = self._faces[state] = PosedFace(points)
            while len(self._faces) > _KEPT:
                self._faces.popitem(last=False)
        return moved_regions(key, points, face.points(pose))
