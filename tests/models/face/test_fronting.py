from __future__ import annotations

import numpy as np
import pytest

from facewire.models.face.fronting import FrontCoordinates
from facewire.models.face.head import MOUTH_AT, HeadCoordinates
from facewire.models.face.turning import mean_shape, rotation

Pose = tuple[float, float, float]
POSES = [(0.0, 0.0, 0.0), (0.5, 0.0, 0.2), (-0.6, 0.1, -0.3)]


def seen(yaw: float, pitch: float = 0.0, roll: float = 0.0, *, opened: float = 0.0) -> np.ndarray:
    """The mean face, with its lower lip lower by so much of the distance of the eyes."""
    shape = np.array(mean_shape())
    shape[MOUTH_AT[11:20], 1] -= opened
    turned = shape @ rotation(yaw, pitch, roll).T
    return (0.3 * turned[:, :2] * (1, -1) + (0.1, -0.05)).astype(np.float32)


@pytest.mark.parametrize("pose", POSES)
def test_a_mouth_does_not_tell_where_the_head_looks(pose: Pose) -> None:
    flat = HeadCoordinates(seen(0.0, pose[1])).mouth(seen(0.0, pose[1]))
    assert np.allclose(FrontCoordinates(seen(*pose)).mouth(seen(*pose)), flat, atol=0.01)
    other = seen(0.3, pose[1], -0.1)
    assert np.allclose(FrontCoordinates(seen(*pose)).mouth(other), flat, atol=0.01)


@pytest.mark.parametrize("pose", POSES)
def test_a_mouth_is_placed_in_the_pose_of_the_frame(pose: Pose) -> None:
    head = FrontCoordinates(seen(0.2))
    wide = head.mouth(seen(0.2, opened=0.2))
    placed = head.placed(seen(*pose), wide)
    assert np.abs(placed - seen(*pose)).max() > 0.05
    assert np.allclose(placed, seen(*pose, opened=0.2), atol=0.01)


def test_a_mouth_that_is_placed_is_found_again() -> None:
    head = FrontCoordinates(seen(0.4, -0.2, 0.1))
    frames = np.stack([seen(0.4, -0.2, 0.1), seen(-0.5, 0.1), seen(0.0, 0.0, 0.8)])
    mouths = head.mouth(frames) + np.float32(0.1)
    assert np.allclose(head.mouth(head.placed(frames, mouths)), mouths, atol=1e-5)
    assert np.allclose(head.placed(frames, head.mouth(frames)), frames, atol=1e-5)


@pytest.mark.parametrize("points", [np.zeros_like(seen(0)), seen(np.pi / 2)])
def test_a_face_without_area_is_no_error(points: np.ndarray) -> None:
    for head in (FrontCoordinates(points), FrontCoordinates(seen(0.0))):
        assert np.isfinite(head.mouth(points)).all()
        assert np.isfinite(head.placed(points, head.mouth(seen(0.0)))).all()
