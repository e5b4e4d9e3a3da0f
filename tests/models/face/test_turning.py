from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facewire.models.face.mesh import POINTS
from facewire.models.face.turning import RIGID, LiftedHead, Place, fit_place, mean_shape, rotation


def seen(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    flat = (mean_shape() @ rotation(yaw, pitch, roll).T)[:, :2] * 0.6 * (1, -1)
    return (flat + (0.1, -0.2)).astype(np.float32)


def test_the_rotation_is_that_of_mediapipes_head_pose() -> None:
    turned = Rotation.from_matrix(rotation(0.3, -0.2, 0.1)).as_euler("YXZ")
    assert np.allclose(turned, (0.3, -0.2, 0.1))


def test_the_mean_face_is_a_face() -> None:
    shape = mean_shape()
    assert shape.shape == (len(POINTS), 3)
    nose, eye, ear, chin = (shape[POINTS.index(index)] for index in (4, 33, 234, 152))
    assert nose[2] > eye[2] > ear[2]  # nearest to the camera comes first
    assert chin[1] < nose[1] < eye[1]
    assert np.allclose(shape[RIGID].mean(0), 0, atol=1e-6)


@pytest.mark.parametrize("angles", [(0, 0, 0), (0.6, 0.2, -0.3), (-0.9, -0.3, 1.2), (0.1, 0, 3)])
def test_a_pose_is_found_again(angles: tuple[float, float, float]) -> None:
    place = fit_place(mean_shape(), seen(*angles))
    assert np.allclose((place.yaw, place.pitch, place.roll), angles, atol=2e-3)
    assert place.size == pytest.approx(0.6, rel=1e-3)
    assert (place.x, place.y) == pytest.approx((0.1, -0.2), abs=1e-3)


def test_a_head_is_seen_as_it_was_and_turns() -> None:
    points = seen(0.2, 0.1)
    points[RIGID[0]] += 0.02  # a nose of its own
    head = LiftedHead(points)
    assert np.allclose(head.seen_at(head.place), points, atol=1e-5)
    to = Place(-0.3, 0.0, 0.2, 0.0, 0.1, 0.5)
    found = head.find(head.seen_at(to))
    assert (found.yaw, found.pitch, found.roll) == pytest.approx((-0.3, 0.0, 0.2), abs=2e-3)
    assert (found.x, found.y, found.size) == pytest.approx((0.0, 0.1, 0.5), abs=2e-3)


@pytest.mark.parametrize("points", [np.zeros((len(POINTS), 2)), np.full((len(POINTS), 2), 4.0)])
def test_landmarks_without_extent_are_no_error(points: np.ndarray) -> None:
    head = LiftedHead(points.astype(np.float32))
    assert all(math.isfinite(n) for n in (head.place.yaw, head.place.pitch, head.place.size))
    assert np.isfinite(head.seen_at(head.place)).all()
