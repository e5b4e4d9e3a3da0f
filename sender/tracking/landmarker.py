"""`Landmarker`: the mesh of a face in a region (Grishchenko et al. 2020, Attention Mesh)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .cutter import Cutter
from .networks import LANDMARK_SIZE, load_network
from .region import Region, upright

__all__ = ["Landmarker", "region_of"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

_UNIT = np.float32(1 / 255)
_MARGIN = 1.5  # region in the next frame, in sides of the mesh
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners


class Landmarker:
    """Finds the 478 landmarks of one face.

    Args:
        path: `face_landmarker.task`.

    Raises:
        WeightsError: not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._cutter = Cutter(LANDMARK_SIZE, repeat_edge=True)
        self._network = load_network(path, "landmarks")

    def find(self, frame: Frame, region: Region) -> Points | None:
        """Landmarks of the face in a region.

        Args:
            frame: uint8 RGB `[H, W, 3]`.
            region: where to look.

        Returns:
            float32 `[478, 3]` in pixels of the frame (z grows with the distance from the camera,
            0 at the head's centre), or None where the network sees no face there.
        """
        np.multiply(self._cutter.cut(frame, region), _UNIT, out=self._network.input[0])
        mesh, presence, _ = self._network.run()
        if float(presence.ravel()[0]) <= 0:  # a logit: 0 is the score 0.5
            return None
        return region.to_frame(mesh.reshape(-1, 3) * np.float32(1 / LANDMARK_SIZE))


def region_of(landmarks: Points) -> Region:
    """Where to look for the same face in the next frame.

    Args:
        landmarks: `[478, 3]` in pixels.
    """
    low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
    x, y = ((low + high) / 2).tolist()
    side = float((high - low).max()) * _MARGIN
    angle = upright(landmarks[_RIGHT_EYE, :2], landmarks[_LEFT_EYE, :2])
    return Region(x, y, side, side, angle)
