"""Metrics of the tracked face: landmarks, openings of mouth and eyes, head pose, blinks.

All compare what MediaPipe's tracker finds in the true and in the decoded frame. A pair of which
one frame shows no face is left out here; `DetectionRate` (`apb2face.py`) counts those.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from ...models.face.mesh import LEFT_EYE, MOUTH, RIGHT_EYE
from .base import Box, MeanMetric, Pair

__all__ = [
    "BlinkError",
    "LandmarkDistance",
    "OpeningCorrelation",
    "OpeningError",
    "PoseError",
    "face_box",
    "head_angles",
    "openings",
    "pose_difference",
]

Points = npt.NDArray[np.float32]
Angles = npt.NDArray[np.float64]

# Mesh indices of an opening: its upper and lower edge, and the two corners (its width).
_OPENINGS = {
    "mouth": ((13, 14, 78, 308),),
    "eyes": ((159, 145, 33, 133), (386, 374, 263, 362)),
}


def face_box(landmarks: Points, shape: tuple[int, ...]) -> Box:
    """The mesh's bounding box inside the picture, at least 16 pixels: x0, y0, x1, y1."""
    height, width = shape[:2]
    limit = np.array([width, height])
    low = np.clip(np.floor(landmarks.min(0)), 0, limit - 16).astype(int)
    high = np.clip(np.ceil(landmarks.max(0)), low + 16, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


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
    r = u @ v
    yaw = np.arctan2(r[0, 2], r[2, 2])
    pitch = np.arctan2(-r[1, 2], np.hypot(r[0, 2], r[2, 2]))
    return np.array([yaw, pitch, np.arctan2(r[1, 0], r[1, 1])])


def pose_difference(pair: Pair) -> Angles | None:
    """Absolute differences of yaw, pitch and roll in radians, on [0, π]; None without poses."""
    if pair.truth_face is None or pair.face is None:
        return None
    if pair.truth_face.pose is None or pair.face.pose is None:
        return None
    turn = head_angles(pair.truth_face.pose) - head_angles(pair.face.pose)
    return np.asarray(np.abs((turn + np.pi) % (2 * np.pi) - np.pi))


class LandmarkDistance(MeanMetric):
    """Landmark distance (LMD): mean Euclidean distance of a frame's landmarks, mean over frames.

    Chen et al., "Lip movements generation at a glance", ECCV 2018; FOMM (as AKD) and AVFR-GAN
    use it on the whole face. Those track 68 dlib points, or the mouth's 20; here they are
    MediaPipe's mesh points, and pixels are those of the measured picture. Chen et al. also align
    the two shapes by their mean (`aligned`); by default the place counts too.

    Args:
        part: `face` (all 468 of the mesh), `mouth` (40 contour points) or `eyes` (32).
        aligned: take the part's mean offset out first, so that the shape alone counts.
    """

    unit: ClassVar[str] = "px"
    PARTS: ClassVar[dict[str, tuple[int, ...]]] = {
        "face": tuple(range(468)),
        "mouth": MOUTH,
        "eyes": (*RIGHT_EYE, *LEFT_EYE),
    }

    def __init__(self, part: str = "face", *, aligned: bool = False) -> None:
        super().__init__()
        self._index, self._aligned = list(self.PARTS[part]), aligned

    def update(self, pair: Pair) -> None:
        """Compare the landmarks of both frames."""
        if pair.truth_face is None or pair.face is None:
            return
        offset = pair.truth_face.landmarks[self._index] - pair.face.landmarks[self._index]
        if self._aligned:
            offset = offset - offset.mean(0)
        self.add(float(np.linalg.norm(offset, axis=-1).mean()))


class OpeningError(MeanMetric):
    """Mean absolute error of an opening, relative to its own width.

    The mouth's inner lips (13, 14 over 78, 308), or both eyes' lids, each eye for itself. Height
    over width is APB2Face's measure of a blink (section 3 there).

    Args:
        part: `mouth` or `eyes`.
    """

    def __init__(self, part: str = "mouth") -> None:
        super().__init__()
        self._part = part

    def update(self, pair: Pair) -> None:
        """Compare the openings of both frames."""
        if pair.truth_face is None or pair.face is None:
            return
        first = openings(pair.truth_face.landmarks, self._part)
        second = openings(pair.face.landmarks, self._part)
        self.add(float(np.abs(first - second).mean()))


class OpeningCorrelation:
    """Pearson correlation over time of the true and the decoded opening.

    NaN where one of the two never moves (a repeated keyframe) or with fewer than three pairs.

    Args:
        part: `mouth` or `eyes` (the mean of both).
    """

    higher_is_better: ClassVar[bool] = True
    unit: ClassVar[str] = ""

    def __init__(self, part: str = "mouth") -> None:
        self._part = part
        self._count = 0
        self._mean = np.zeros(2)
        self._scatter = np.zeros((2, 2))

    def update(self, pair: Pair) -> None:
        """Take the openings of both frames; memory does not grow (Welford, Technometrics 1962)."""
        if pair.truth_face is None or pair.face is None:
            return
        faces = (pair.truth_face.landmarks, pair.face.landmarks)
        value = np.array([openings(points, self._part).mean() for points in faces])
        self._count += 1
        offset = value - self._mean
        self._mean = self._mean + offset / self._count
        self._scatter += np.outer(offset, value - self._mean)

    def compute(self) -> float:
        """The correlation, on [-1, 1]."""
        deviation = np.sqrt(np.diag(self._scatter) / max(self._count, 1))
        if self._count < 3 or deviation.min() < 1e-6:
            return float("nan")
        return float(self._scatter[0, 1] / self._count / deviation.prod())


class PoseError(MeanMetric):
    """Mean absolute difference of yaw, pitch and roll, over the three angles and the frames.

    As APE of APB2Face (table 1), in degrees. The angles are those of MediaPipe's facial
    transformation matrix, which comes only from a tracker with `details`.
    """

    unit: ClassVar[str] = "°"

    def update(self, pair: Pair) -> None:
        """Compare the head poses of both frames."""
        difference = pose_difference(pair)
        if difference is not None:
            self.add(float(np.degrees(difference).mean()))


class BlinkError(MeanMetric):
    """Mean absolute difference of MediaPipe's blink scores (0 open, 1 closed) of both eyes.

    The scores come only from a tracker with `details`, as the pose does: a pair without poses is
    left out, since its scores are all zero. Eye height over width is `OpeningError("eyes")`.
    """

    def update(self, pair: Pair) -> None:
        """Compare the blink scores of both frames."""
        first, second = pair.truth_face, pair.face
        if first is None or second is None or first.pose is None or second.pose is None:
            return
        self.add(float(np.abs(np.subtract(first.blink, second.blink)).mean()))
