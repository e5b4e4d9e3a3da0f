"""The measures of APB2Face's table 1 (Zhang et al., ICASSP 2020): DR, ALE and APE.

ABE is `faces.opening_error` of the eyes. The paper names its measures without formulas. What it
says elsewhere is followed: crops of 1.4 times the face's square at 256 pixels, radians, eye height
over width (section 3), L1 (section 4). It finds landmarks and pose by a network of its own choice
in pictures generated from other faces' signals; here MediaPipe finds them, and each decoded frame
is compared with the true one of its time. All are functions of one pair, for `base.Mean`.
"""

from __future__ import annotations

import numpy as np

from ...models.face.mesh import POINTS
from .base import Pair
from .faces import pose_difference

__all__ = ["crop_scale", "detection_rate", "landmark_error", "pose_error"]

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


def detection_rate(pair: Pair) -> float:
    """DR, in percent: 100 where a face is found in the decoded frame, else 0.

    Only frames count whose true picture shows a face. The tracker looks first where the face was
    a frame ago, which is milder than finding it anew in each picture, as the paper does.
    """
    if pair.truth_face is None:
        return float("nan")
    return 100.0 if pair.face is not None else 0.0


def landmark_error(pair: Pair) -> float:
    """ALE: mean absolute difference of the landmarks' coordinates, in pixels of the 256x256 crop.

    Absolute and per coordinate, since the paper measures landmarks by L1 in pixels (section 4);
    a Euclidean distance is about 1.5 times as long (`faces.landmark_distance`). Over the mesh's
    133 contour points of jaw, brows, eyes, nose and lips; the paper has 106 on the same contours.
    """
    if pair.faces is None:
        return float("nan")
    truth, found = (face.landmarks[_CONTOURS] for face in pair.faces)
    return float(np.abs(truth - found).mean()) * crop_scale(pair)


def pose_error(pair: Pair) -> float:
    """APE: mean absolute difference of yaw, pitch and roll, in radians as in the paper."""
    difference = pose_difference(pair)
    return float("nan") if difference is None else float(difference.mean())
