"""Keypoints computed from the face mesh by a formula, without a network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codec.motion.frame import MotionFrame
from .mesh import RegionMaps, centroids, region_maps
from .table import FaceTable

__all__ = ["MeshKeypoints"]

Array = npt.NDArray[np.float32]


class MeshKeypoints:
    """Keypoints of a stream: each is the centroid of a region, with the region's map as jacobian.

    A keyframe's jacobians map the regions of the mean face to those of the keyframe, by least
    squares. A driving frame's jacobians are the maps from the keyframe to the frame, multiplied
    with the keyframe's jacobians. So `J_driving J_source⁻¹` is the map from keyframe to frame that
    the receiver needs, and the numbers of each frame have a meaning of their own.
    """

    def __init__(self, table: FaceTable) -> None:
        self._table = table
        self._maps: RegionMaps | None = None  # from the keyframe
        self._motion: MotionFrame | None = None

    def keyframe(self, landmarks: Array) -> MotionFrame:
        """Motion of a keyframe; its landmarks, float32 `[478, 2]` on [-1, 1], are remembered."""
        maps = region_maps(self._table.mean, landmarks)
        # The receiver has the rounded numbers, and later frames are relative to those.
        exact = MotionFrame(centroids(landmarks), maps)
        self._motion = MotionFrame.from_fp16(exact.to_fp16())
        self._maps = RegionMaps(landmarks)
        return self._motion

    def motion(self, landmarks: Array) -> MotionFrame:
        """Motion of a driving frame from its landmarks; the first frame becomes the keyframe."""
        if self._maps is None or self._motion is None:
            return self.keyframe(landmarks)
        maps = self._maps.to(landmarks)
        return MotionFrame(centroids(landmarks), maps @ self._motion.jacobian)
