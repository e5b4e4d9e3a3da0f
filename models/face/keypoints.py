"""Keypoints in closed form, from the face mesh."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codec.motion.frame import MotionFrame
from .mesh import centroids, region_maps
from .table import FaceTable

__all__ = ["MeshKeypoints"]

Array = npt.NDArray[np.float32]


class MeshKeypoints:
    """Closed-form keypoints: a region's centroid, and its least-squares map as the jacobian.

    The keyframe's jacobians map the mean face's regions to the keyframe's. A driving frame's are
    the least-squares maps keyframe → frame, times the keyframe's: so `J_driving J_source⁻¹` is
    exactly what the receiver needs, and yet every frame's numbers stand for themselves.
    """

    def __init__(self, table: FaceTable) -> None:
        self._table = table
        self._landmarks: Array | None = None
        self._motion: MotionFrame | None = None

    def keyframe(self, landmarks: Array) -> MotionFrame:
        """Motion of a keyframe from its landmarks, float32 `[478, 2]` on [-1, 1]; remembered."""
        maps = region_maps(self._table.mean, landmarks)
        # What the other side holds is the rounded value: later frames are relative to that.
        exact = MotionFrame(centroids(landmarks), maps)
        self._motion = MotionFrame.from_fp16(exact.to_fp16())
        self._landmarks = landmarks
        return self._motion

    def motion(self, landmarks: Array) -> MotionFrame:
        """Motion of a driving frame; the first frame ever is its own keyframe."""
        if self._landmarks is None or self._motion is None:
            return self.keyframe(landmarks)
        maps = region_maps(self._landmarks, landmarks)
        return MotionFrame(centroids(landmarks), maps @ self._motion.jacobian)
