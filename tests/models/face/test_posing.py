from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.head import HeadCoordinates
from facewire.models.face.jaw import with_jaw
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.mesh import POINTS, REGION_NAMES, REGIONS, select_points
from facewire.models.face.posing import PosedFace, eye_opening, moved_regions, with_opening
from facewire.models.face.table import FaceTable
from facewire.models.face.turning import mean_shape, rotation


def face(yaw: float = 0, pitch: float = 0) -> np.ndarray:
    """All landmarks of a frame; those outside of `POINTS` lie in the middles of their regions."""
    points = (mean_shape() @ rotation(yaw, pitch, 0).T)[:, :2] * 0.6 * (1, -1)
    whole = np.zeros((478, 2), np.float32)
    whole[list(POINTS)] = points
    for region in REGIONS:
        known = [index for index in region if index in POINTS]
        for index in set(region) - set(known):
            whole[index] = whole[known].mean(0)
    return whole


def test_a_keyframes_own_pose_shows_the_keyframe() -> None:
    points = select_points(face(0.1, 0.1))
    posed = PosedFace(points)
    assert np.allclose(posed.points(posed.still), points, atol=1e-4)


@pytest.mark.parametrize("eye", [0, 1])
@pytest.mark.parametrize("opening", [0.0, 0.1, 0.5])
def test_an_eye_is_as_open_as_was_sent(eye: int, opening: float) -> None:
    points = select_points(face(0.3))
    moved = with_opening(points, eye, opening)
    assert eye_opening(moved, eye) == pytest.approx(opening, abs=1e-3)
    assert eye_opening(moved, 1 - eye) == eye_opening(points, 1 - eye)
    still = [POINTS.index(index) for index in (33, 133, 362, 263, 145, 374, 13, 4)]
    assert np.array_equal(moved[still], points[still])


def test_an_eye_that_the_keyframe_shuts_can_open() -> None:
    shut = with_opening(select_points(face()), 0, 0.0)
    assert eye_opening(with_opening(shut, 0, 0.3), 0) == pytest.approx(0.3, abs=0.02)


def test_the_pose_of_a_turned_head_brings_its_landmarks_and_its_motion() -> None:
    key, turned = face(), face(0.35, -0.1)
    mesh = MeshKeypoints(FaceTable.blank())
    still, moved = mesh.keyframe(key), mesh.motion(turned)
    points = select_points(key)
    posed = PosedFace(points)
    found = posed.points(posed.look(select_points(turned)))
    assert np.abs(found - select_points(turned)).max() < 0.01
    made = moved_regions(still, points, found)
    for name in ("nose", "right_eye", "upper_lip"):
        at = REGION_NAMES.index(name)
        assert np.abs(made.value[at] - moved.value[at]).max() < 0.01
        assert np.abs(made.jacobian[at] - moved.jacobian[at]).max() < 0.05


def test_without_a_place_the_head_stays() -> None:
    posed = PosedFace(select_points(face()))
    there = posed.points(replace(posed.still, yaw=0.2))
    assert np.allclose(posed.points(replace(posed.still, yaw=0.2, place=None)), there, atol=1e-6)


def test_moving_nothing_changes_no_motion_and_a_mouth_moves_its_regions_alone() -> None:
    key = face()
    motion = MeshKeypoints(FaceTable.blank()).keyframe(key)
    points = select_points(key)
    same = moved_regions(motion, points, points)
    assert np.allclose(same.to_array(), motion.to_array(), atol=1e-4)
    head = HeadCoordinates(points)
    opened = head.mouth(points)
    opened[11:20, 1] += 0.1
    opened[31:, 1] += 0.1
    after = with_jaw(points, head.placed(points, opened))
    changed = np.abs(moved_regions(motion, points, after).value - motion.value).max(-1) > 1e-3
    names = {name for name, moved in zip(REGION_NAMES, changed, strict=True) if moved}
    assert {"lower_lip", "chin"} <= names
    assert not names & {"nose", "right_eye", "left_eye", "right_brow", "left_brow"}


def test_the_eyes_look_where_they_looked() -> None:
    points = select_points(face())
    gaze = np.array([0.3, -0.2], np.float32)
    motion = MotionFrame(np.zeros((10, 2), np.float32), np.tile(np.eye(2), (10, 1, 1)), gaze)
    assert np.array_equal(moved_regions(motion, points, points + np.float32(0.1)).gaze, gaze)


def test_landmarks_far_outside_are_a_typed_error() -> None:
    points = select_points(face())
    motion = MotionFrame(np.zeros((10, 2), np.float32), np.tile(np.eye(2), (10, 1, 1)))
    from facewire.codec.errors import MotionError

    with pytest.raises(MotionError):
        moved_regions(motion, points, points + 100)
