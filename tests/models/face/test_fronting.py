from __future__ import annotations

import numpy as np
import pytest

from facewire.models.face.fronting import FrontMouth
from facewire.models.face.head import MOUTH_AT, HeadCoordinates
from facewire.models.face.turning import mean_shape, rotation


def seen(yaw: float, pitch: float = 0.0, roll: float = 0.0, *, opened: float = 0.0) -> np.ndarray:
    """The mean face, with its lower lip lower by so much of the distance of the eyes."""
    shape = np.array(mean_shape())
    shape[MOUTH_AT[11:20], 1] -= opened
    turned = shape @ rotation(yaw, pitch, roll).T
    return (0.3 * turned[:, :2] * (1, -1) + (0.1, -0.05)).astype(np.float32)


def mouth_of(points: np.ndarray) -> np.ndarray:
    return HeadCoordinates(points).mouth(points)


@pytest.mark.parametrize("pose", [(0.0, 0.0, 0.0), (0.5, 0.0, 0.2), (-0.6, 0.1, -0.3)])
def test_from_the_front_a_mouth_does_not_tell_where_the_head_looks(
    pose: tuple[float, float, float],
) -> None:
    front = FrontMouth(seen(*pose))
    assert np.allclose(front.mouth, mouth_of(seen(0.0, pose[1])), atol=0.01)


@pytest.mark.parametrize("pose", [(0.0, 0.0, 0.0), (0.5, 0.0, 0.2), (-0.6, 0.15, -0.3)])
def test_another_mouth_is_brought_into_the_pose_of_the_picture(
    pose: tuple[float, float, float],
) -> None:
    shut, wide = seen(*pose), seen(*pose, opened=0.2)
    shift = FrontMouth(shut).shift(mouth_of(seen(0.0, pose[1], opened=0.2)))
    wanted = mouth_of(wide) - mouth_of(shut)
    assert np.abs(wanted).max() > 0.15
    assert np.allclose(shift, wanted, atol=0.015)


def test_the_same_mouth_is_nowhere_else() -> None:
    front = FrontMouth(seen(0.4, -0.2, 0.1))
    assert np.allclose(front.shift(front.mouth), 0, atol=1e-5)
