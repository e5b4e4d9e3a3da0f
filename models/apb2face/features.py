"""What the paper's predictor is given: MFCC of the sound around a frame, and the head pose.

The paper takes the sound's features from Karras et al. (2017), over 64 steps, and does not say
which 60 numbers each step has. Here they are 20 MFCC of our log-mel with their first and second
differences. A step is 10 ms, so that the window holds 640 ms, with the frame in its middle.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..face.canonical import CanonicalFace
from ..mel import HOP, MEL_BANDS

__all__ = ["MFCC", "STEPS", "HeadAngles", "mfcc", "mfcc_window"]

Array = npt.NDArray[np.float32]

STEPS = 64
MFCC = 60
_CEPSTRA = MFCC // 3


def mfcc(mel: Array) -> Array:
    """MFCC with differences: log-mel `[n, 80]` (`models.mel`) → float32 `[n, 60]`."""
    band = np.arange(MEL_BANDS) + 0.5
    cosine = np.cos(np.pi / MEL_BANDS * np.outer(np.arange(_CEPSTRA), band))
    cosine *= np.sqrt(2 / MEL_BANDS)
    cosine[0] *= np.sqrt(0.5)
    first = mel @ cosine.T
    if not len(first):
        return np.zeros((0, MFCC), np.float32)
    delta = _differences(first)
    return np.concatenate([first, delta, _differences(delta)], 1).astype(np.float32)


def _differences(values: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.asarray((padded[2:] - padded[:-2]) / 2)


def mfcc_window(steps: Array, centre_sample: int) -> Array:
    """The window of one frame.

    Args:
        steps: `mfcc` of the sound, `[n, 60]`.
        centre_sample: presentation time of the frame in samples at 16 kHz.

    Returns:
        float32 `[64, 60]`; outside of the sound the first and last step are repeated.
    """
    start = round(centre_sample / HOP) - STEPS // 2
    if not len(steps):
        return np.zeros((STEPS, MFCC), np.float32)
    return steps[np.clip(np.arange(start, start + STEPS), 0, len(steps) - 1)]


class HeadAngles:
    """Yaw, pitch and roll from landmarks without depth.

    The canonical face is fitted under a scaled orthographic camera: an affine map from the mesh to
    the picture by least squares, whose rows are then made a rotation (as in POS, DeMenthon and
    Davis 1995).

    Args:
        face: the canonical mesh.
    """

    def __init__(self, face: CanonicalFace) -> None:
        used = np.flatnonzero(face.weights)
        self._used, self._weights = used, np.sqrt(face.weights[used])[:, None]
        points = face.points[used] * (1, -1, -1)  # picture axes: y down, z away from the camera
        design = np.concatenate([points, np.ones((len(used), 1))], 1) * self._weights
        self._solve = np.linalg.pinv(design)

    def angles(self, landmarks: Array) -> Array:
        """Landmarks `[..., 478, 2]` → float32 `[..., 3]`: yaw, pitch and roll in radians.

        They are the angles that profile `pose` sends (`models.face.turning`). Yaw is positive where
        the nose points to the right of the picture, pitch where it points down, and roll where the
        head leans to the left of the picture.
        """
        seen = landmarks[..., self._used, :] * self._weights
        rows = np.einsum("kn,...nc->...ck", self._solve, seen)[..., :3]
        right, down = (rows[..., i, :] for i in (0, 1))
        right = right / np.maximum(np.linalg.norm(right, axis=-1, keepdims=True), 1e-9)
        down = down - (down * right).sum(-1, keepdims=True) * right
        down = down / np.maximum(np.linalg.norm(down, axis=-1, keepdims=True), 1e-9)
        yaw = np.arctan2(-right[..., 2], np.cross(right, down)[..., 2])
        pitch = np.arcsin(np.clip(-down[..., 2], -1, 1))
        roll = np.arctan2(-down[..., 0], down[..., 1])
        return np.stack([yaw, pitch, roll], -1).astype(np.float32)
