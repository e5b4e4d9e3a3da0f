"""Landmarks of a face that turns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facewire.codec.motion.frame import MotionFrame
from facewire.sender.appearance import Appearance
from facewire.sender.references.reference import Reference

Points = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
PLAIN = np.zeros((64, 64, 3), np.uint8)
FACE = np.random.default_rng(4).uniform(-0.5, 0.5, (130, 2)).astype(np.float32)
STILL = MotionFrame(np.zeros((10, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)))


def turned(yaw: float) -> Points:
    """The face, its sides drawn together as by a turn of the head."""
    return (FACE * [np.cos(yaw), 1] + [0.3 * np.sin(yaw), 0]).astype(np.float32)


def look(points: Points, picture: Frame = PLAIN) -> Appearance:
    return Appearance.of_picture(picture, points)


def looks(points: Points) -> Appearance:
    """Frames `[N, P, 2]` that differ by their pose alone."""
    return Appearance.stack([look(one) for one in points])


def reference(identity: int, points: Points, loss: float = 0.0) -> Reference:
    return Reference(identity, None, 0, STILL, b"", look(points), PLAIN, loss)
