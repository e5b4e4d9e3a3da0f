"""dlib's face network: who is in a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError, WeightsError
from ..third_party import find_asset

__all__ = ["DlibEmbedder", "Embedding", "Landmarks"]

Frame = npt.NDArray[np.uint8]
Embedding = npt.NDArray[np.float32]
Landmarks = npt.NDArray[np.float32]

# The mesh's counterparts of dlib's five points, in its order: the subject's left eye (outer and
# inner corner), the right eye (likewise), the base of the nose.
_FIVE_POINTS = (263, 362, 33, 133, 2)
_WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"


class DlibEmbedder:
    """dlib's ResNet v1: a face as 128 numbers; pictures of one person lie near each other.

    The face is turned upright and scaled to 150x150 by five points, which here come from
    MediaPipe's mesh: within 3 % of the eyes' distance of those of dlib's own finder.

    Args:
        weights: path of the network; by default found as `models.third_party` says.

    Raises:
        MissingExtraError: dlib is not installed.
        WeightsError: the network is not here, or is not one.
    """

    def __init__(self, weights: Path | None = None) -> None:
        try:
            import dlib
        except ImportError as error:
            raise MissingExtraError("the identity distance", "eval") from error
        self._dlib: Any = dlib
        path = weights or find_asset(_WEIGHTS)
        try:
            self._network = dlib.face_recognition_model_v1(str(path))
        except RuntimeError as error:
            raise WeightsError(f"{path} is not dlib's face network: {error}") from error

    def __call__(self, frame: Frame, landmarks: Landmarks) -> Embedding:
        """Picture uint8 `[H, W, 3]` and its face's mesh `[478, 2]` → float32 `[128]`."""
        corners = np.rint(landmarks[list(_FIVE_POINTS)] - 0.5).astype(int)  # pixel centres
        points = [self._dlib.point(x, y) for x, y in corners.tolist()]
        height, width = frame.shape[:2]
        found = self._dlib.full_object_detection(
            self._dlib.rectangle(0, 0, width - 1, height - 1), points
        )
        chip = self._dlib.get_face_chip(np.ascontiguousarray(frame), found, 150, 0.25)
        return np.array(self._network.compute_face_descriptor(chip), np.float32)
