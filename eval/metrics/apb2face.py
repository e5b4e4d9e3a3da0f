"""The measures of APB2Face's table 1 (Zhang et al., ICASSP 2020): DR, ALE, APE, ABE.

The paper names them without formulas. What it says elsewhere is followed: crops of 1.4 times the
face's square at 256 pixels, radians, eye height over width (section 3), L1 (section 4). It finds
landmarks and pose by a network of its own choice in pictures generated from other faces' signals;
here MediaPipe finds them, and each decoded frame is compared with the true one of its time.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ...models.face.mesh import POINTS
from .base import MeanMetric, Pair
from .faces import OpeningError, pose_difference

__all__ = [
    "AverageBlinkError",
    "AverageLandmarkError",
    "AveragePoseError",
    "DetectionRate",
    "crop_scale",
]

# The mesh's oval goes over the forehead, where the paper's 106 points have none.
_FOREHEAD = {10, 338, 297, 332, 284, 251, 389, 162, 21, 54, 103, 67, 109}
_CONTOURS = [index for index in POINTS if index not in _FOREHEAD]
_CROP, _SIDE = 1.4, 256


def crop_scale(pair: Pair) -> float:
    """Pixels of the paper's 256x256 crop (1.4 times the true face's square) per pixel here."""
    if pair.truth_face is None:
        return float("nan")
    side = np.ptp(pair.truth_face.landmarks[_CONTOURS], axis=0).max()
    return float(_SIDE / (_CROP * max(float(side), 1e-6)))


class DetectionRate(MeanMetric):
    """DR: share of decoded frames in which a face is found, in percent.

    Only frames count whose true picture shows a face. The tracker looks first where the face was
    a frame ago, which is milder than finding it anew in each picture, as the paper does.
    """

    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = "%"

    def update(self, pair: Pair) -> None:
        """Count the frame."""
        if pair.truth_face is not None:
            self.add(100.0 if pair.face is not None else 0.0)


class AverageLandmarkError(MeanMetric):
    """ALE: mean absolute difference of the landmarks' coordinates, in pixels of the 256x256 crop.

    Absolute and per coordinate, since the paper measures landmarks by L1 in pixels (section 4);
    a Euclidean distance is about 1.5 times as long (`LandmarkDistance`). Over the mesh's 133
    contour points of jaw, brows, eyes, nose and lips; the paper has 106 on the same contours.
    """

    unit: ClassVar[str] = "px"

    def update(self, pair: Pair) -> None:
        """Compare the landmarks of both frames."""
        if pair.truth_face is None or pair.face is None:
            return
        first, second = pair.truth_face.landmarks[_CONTOURS], pair.face.landmarks[_CONTOURS]
        self.add(float(np.abs(first - second).mean()) * crop_scale(pair))


class AveragePoseError(MeanMetric):
    """APE: mean absolute difference of yaw, pitch and roll, in radians as in the paper."""

    unit: ClassVar[str] = "rad"

    def update(self, pair: Pair) -> None:
        """Compare the head poses of both frames."""
        difference = pose_difference(pair)
        if difference is not None:
            self.add(float(difference.mean()))


class AverageBlinkError(OpeningError):
    """ABE: mean absolute difference of eye height over width, both eyes."""

    def __init__(self) -> None:
        super().__init__("eyes")
