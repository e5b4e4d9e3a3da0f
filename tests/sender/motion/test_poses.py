from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.motion.pose import PoseFrame
from facewire.models.face.mesh import POINTS
from facewire.models.face.observation import Observation
from facewire.models.face.turning import mean_shape, rotation
from facewire.sender.motion.poses import Poses

PICTURE = np.zeros((64, 64, 3), np.uint8)


def seen(yaw: float, *, steady: float | None = None) -> Observation:
    return Observation(PICTURE, landmarks(yaw), 0.0, None if steady is None else landmarks(steady))


def landmarks(yaw: float) -> np.ndarray:
    whole = np.zeros((478, 2), np.float32)
    whole[list(POINTS)] = (mean_shape() @ rotation(yaw, 0, 0).T)[:, :2] * 0.6 * (1, -1)
    return whole


def test_a_head_that_turns_is_sent_as_it_turns() -> None:
    poses = Poses()
    poses.keyframe(seen(0.1), 2)
    assert isinstance(poses.still(2), PoseFrame)
    assert poses.still(2).yaw == pytest.approx(0.1, abs=2e-3)
    assert poses.motion(seen(0.5), 2).yaw == pytest.approx(0.5, abs=5e-3)
    assert poses.motion(seen(0.5, steady=0.3), 2).yaw == pytest.approx(0.3, abs=5e-3)


def test_each_reference_has_a_face_of_its_own() -> None:
    poses = Poses()
    poses.keyframe(seen(0.1), 0)
    poses.keyframe(seen(0.4), 1)
    assert poses.still(0).yaw < poses.still(1).yaw
    assert poses.motion(seen(0.25), 0).yaw == pytest.approx(
        poses.motion(seen(0.25), 1).yaw, abs=5e-3
    )
