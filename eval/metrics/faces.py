"""Metrics of the tracked face: landmarks, openings of mouth and eyes, gaze, head pose, blinks.

All compare what MediaPipe's tracker finds in the true and in the decoded frame. They are functions
of one pair, for `base.Mean`. A pair of which one frame shows no face is NaN here and is left out;
`apb2face.detection_rate` counts such pairs.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from ...models.face.gaze import gaze_of
from ...models.face.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from .base import Pair

__all__ = [
    "PARTS",
    "OpeningCorrelation",
    "asymmetry_error",
    "blink_error",
    "gaze_error",
    "head_angles",
    "landmark_distance",
    "opening_error",
    "openings",
    "pose_difference",
    "pose_error",
]

Points = npt.NDArray[np.float32]
Angles = npt.NDArray[np.float64]

PARTS = {"face": tuple(range(468)), "mouth": MOUTH, "eyes": (*RIGHT_EYE, *LEFT_EYE)}
"""Mesh indices of each part: the whole face, and contour points of mouth and eyes."""
# Mesh indices of an opening: its upper and lower edge, and the two corners (its width).
_OPENINGS = {
    "mouth": ((13, 14, 78, 308),),
    "eyes": ((159, 145, 33, 133), (386, 374, 263, 362)),
}

_SHUT = 0.1  # an eye whose lids are closer than this, over its width, shows no iris


def openings(landmarks: Points, part: str) -> Angles:
    """Height over width: `[478, 2]` → `[1]` (`mouth`: inner lips) or `[2]` (`eyes`: lids)."""
    upper, lower, left, right = landmarks[np.array(_OPENINGS[part]).T].astype(np.float64)
    height, width = np.linalg.norm(upper - lower, axis=-1), np.linalg.norm(left - right, axis=-1)
    return np.asarray(height / np.maximum(width, 1e-6))


def head_angles(pose: npt.NDArray[np.float32]) -> Angles:
    """Yaw, pitch and roll in radians of a head pose `[4, 4]` (MediaPipe: y up, camera at +z).

    The rotation is `Ry(yaw) Rx(pitch) Rz(roll)`, singular only for a head that looks straight
    up or down. Scale and shear are taken out first: the nearest rotation (by SVD) counts.
    """
    linear = np.asarray(pose, np.float64)[:3, :3]
    if not np.isfinite(linear).all():
        return np.full(3, np.nan)
    u, _, v = np.linalg.svd(linear)
    return np.asarray(Rotation.from_matrix(u @ v).as_euler("YXZ"))


def pose_difference(pair: Pair) -> Angles | None:
    """Absolute differences of yaw, pitch and roll in radians, on [0, π]; None without poses."""
    if pair.faces is None or pair.faces[0].pose is None or pair.faces[1].pose is None:
        return None
    turn = head_angles(pair.faces[0].pose) - head_angles(pair.faces[1].pose)
    return np.asarray(np.abs((turn + np.pi) % (2 * np.pi) - np.pi))


def landmark_distance(pair: Pair, part: str = "face", aligned: bool = False) -> float:
    """Landmark distance (LMD): mean Euclidean distance of a frame's landmarks, in pixels.

    Chen et al., "Lip movements generation at a glance", ECCV 2018; FOMM (as AKD) and AVFR-GAN
    use it on the whole face. Those track 68 dlib points, or the mouth's 20; here they are
    MediaPipe's mesh points, and pixels are those of the measured picture.

    Args:
        pair: a true and a decoded frame.
        part: one of `PARTS`.
        aligned: take the part's mean offset out first, as Chen et al. do, so that the shape alone
            counts and not the place.
    """
    if pair.faces is None:
        return float("nan")
    truth, found = (face.landmarks[list(PARTS[part])] for face in pair.faces)
    offset = truth - found
    if aligned:
        offset = offset - offset.mean(0)
    return float(np.linalg.norm(offset, axis=-1).mean())


def opening_error(pair: Pair, part: str = "mouth") -> float:
    """Absolute error of an opening, relative to its own width.

    The mouth's inner lips (13, 14 over 78, 308), or both eyes' lids, each eye for itself. Height
    over width is APB2Face's measure of a blink (section 3 there).

    Args:
        pair: a true and a decoded frame.
        part: `mouth` or `eyes`.
    """
    if pair.faces is None:
        return float("nan")
    truth, found = (openings(face.landmarks, part) for face in pair.faces)
    return float(np.abs(truth - found).mean())


def asymmetry_error(pair: Pair) -> float:
    """How unlike the eyes' openings are to each other where they should not be, or the other way
    round: a lid that hangs half shut beside an open eye, or a wink that is not shown.

    The asymmetry of a face is the opening of the right eye less that of the left one, each as
    height over width (the eye aspect ratio of Soukupová and Čech, "Real-time eye blink detection
    using facial landmarks", CVWW 2016). The error is the absolute difference of the true and the
    decoded asymmetry. Eyes that are both off by the same amount have none; `opening_error` counts
    that.
    """
    if pair.faces is None:
        return float("nan")
    truth, found = (openings(face.landmarks, "eyes") for face in pair.faces)
    return float(abs((truth[0] - truth[1]) - (found[0] - found[1])))


def gaze_error(pair: Pair) -> float:
    """How far the irises are from where they should be, over the width of an eye.

    Gaze is where the irises lie between the corners of the eyes, right and down, for both eyes
    together (`models.face.gaze`); its unit is half the width of an eye. The error is the Euclidean
    distance of the true and the decoded gaze, in whole widths. A pair whose true eyes are shut is
    NaN: the tracker guesses an iris there, but none is to be seen.
    """
    if pair.faces is None:
        return float("nan")
    truth, found = (face.landmarks for face in pair.faces)
    if openings(truth, "eyes").mean() < _SHUT:
        return float("nan")
    return float(np.linalg.norm(gaze_of(truth) - gaze_of(found)) / 2)


class OpeningCorrelation:
    """Pearson correlation over time of the true and the decoded opening, on [-1, 1].

    NaN where one of the two never moves (a repeated keyframe) or with fewer than three pairs.

    Args:
        part: `mouth` or `eyes` (the mean of both).
    """

    def __init__(self, part: str = "mouth") -> None:
        self._part = part
        self._values: list[list[float]] = []

    def update(self, pair: Pair) -> None:
        """Take the openings of both frames."""
        if pair.faces is not None:
            found = [float(openings(face.landmarks, self._part).mean()) for face in pair.faces]
            self._values.append(found)

    def compute(self) -> float:
        """The correlation."""
        values = np.array(self._values).T
        if values.size < 6 or values.std(1).min() < 1e-6:
            return float("nan")
        return float(np.corrcoef(values)[0, 1])


def pose_error(pair: Pair) -> float:
    """Mean absolute difference of yaw, pitch and roll, in degrees.

    APE of APB2Face (table 1), in degrees. The angles are those of MediaPipe's facial transformation
    matrix, which comes only from a tracker with `details`.
    """
    difference = pose_difference(pair)
    return float("nan") if difference is None else float(np.degrees(difference).mean())


def blink_error(pair: Pair) -> float:
    """Absolute difference of MediaPipe's blink scores (0 open, 1 closed), mean of both eyes.

    The scores come only from a tracker with `details`, as the pose does: a pair without poses is
    left out, since its scores are all zero. Eye height over width is `opening_error`.
    """
    if pair.faces is None or pair.faces[0].pose is None or pair.faces[1].pose is None:
        return float("nan")
    truth, found = pair.faces
    return float(np.abs(np.subtract(truth.blink, found.blink)).mean())
