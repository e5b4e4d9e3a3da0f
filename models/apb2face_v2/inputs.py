"""What the Fuser is given, from what a receiver has: a log-mel window, and a face's landmarks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..apb2face.features import HeadAngles, mfcc, mfcc_window
from ..apb2face.landmarks import blinks
from ..apb2face.received import mesh_of
from ..face.mesh import POINTS
from ..mel import HOP, MEL_STEPS

__all__ = ["blink_of", "pose_of", "sound_of"]

Array = npt.NDArray[np.float32]


def sound_of(mel: Array) -> Array:
    """MFCC features of a receiver's window.

    The window has 200 ms, the paper's 640 ms; the first and the last step are repeated to fill it.

    Args:
        mel: float32 `[80, 20]` (`models.mel.mel_window`).

    Returns:
        float32 `[1, 64, 60]`.
    """
    return mfcc_window(mfcc(mel.T), MEL_STEPS // 2 * HOP)[None]


def pose_of(angles: HeadAngles, points: Array) -> Array:
    """Yaw, pitch and roll.

    Args:
        angles: of the points of a receiver (`apb2face.received.head_of`).
        points: landmarks `[..., P, 2]`, or `[..., P + 2, 2]` with irises.

    Returns:
        float32 `[..., 3]` in radians.
    """
    return angles.angles(points[..., : len(POINTS), :])


def blink_of(points: Array) -> Array:
    """Height over width of the right and the left eye: points as for `pose_of` → `[..., 2]`."""
    return blinks(mesh_of(points))
