from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.landmarks import PointRebuilder, relative_maps
from facewire.models.face.mesh import (
    CHANNELS,
    LANDMARKS,
    POINTS,
    REGION_NAMES,
    REGIONS,
    mirror_map,
    region_maps,
    select_points,
)
from facewire.models.face.table import FaceTable
from facewire.models.weights import load_card, shipped


def moved(face: np.ndarray, matrix: np.ndarray, shift: np.ndarray) -> np.ndarray:
    return (face @ matrix.T + shift).astype(np.float32)


@pytest.fixture
def face() -> np.ndarray:
    return FaceTable.blank().mean * np.float32(0.5)


def test_tables_are_sound() -> None:
    assert len(REGIONS) == len(REGION_NAMES) == 10
    assert len(set(POINTS)) == len(POINTS)
    assert all(0 <= i < 468 for r in (*REGIONS, POINTS) for i in r)
    assert {i for _, lines in CHANNELS for line in lines for i in line} == set(range(len(POINTS)))


def test_the_mirror_is_an_involution_and_swaps_sides() -> None:
    mirror = mirror_map()
    assert (mirror[mirror] == np.arange(LANDMARKS)).all()
    for right, left in ((1, 2), (3, 4), (7, 8)):
        assert {int(mirror[i]) for i in REGIONS[right]} == set(REGIONS[left])
    for middle in (0, 5, 6, 9):
        assert {int(mirror[i]) for i in REGIONS[middle]} == set(REGIONS[middle])


def test_an_affine_motion_is_found_exactly(face: np.ndarray) -> None:
    matrix = np.array([[1.1, 0.2], [-0.1, 0.8]])
    maps = region_maps(face, moved(face, matrix, np.array([0.1, -0.2])), ridge=0.0)
    np.testing.assert_allclose(maps, np.broadcast_to(matrix, (10, 2, 2)), atol=1e-4)


def test_a_closed_eye_does_not_explode(face: np.ndarray) -> None:
    flat = face.copy()
    flat[list(REGIONS[1]), 1] = flat[list(REGIONS[1]), 1].mean()
    maps = region_maps(flat, face)
    assert np.isfinite(maps).all()
    assert np.abs(maps).max() < 10


def test_points_follow_an_affine_motion_through_fp16(face: np.ndarray) -> None:
    keypoints = MeshKeypoints(FaceTable.blank())
    source = keypoints.keyframe(face)
    matrix, shift = np.array([[1.05, 0.1], [-0.1, 0.95]]), np.array([0.05, 0.1])
    driving = moved(face, matrix, shift)
    motion = MotionFrame.from_fp16(keypoints.motion(driving).to_fp16())
    rebuilder = PointRebuilder(FaceTable.blank())
    found = rebuilder.rebuild(source.to_array(), select_points(face), motion.to_array())
    np.testing.assert_allclose(found, select_points(driving), atol=4e-3)


def test_the_first_motion_is_a_keyframe(face: np.ndarray) -> None:
    first, second = MeshKeypoints(FaceTable.blank()), MeshKeypoints(FaceTable.blank())
    assert first.motion(face) == second.keyframe(face)


def test_maps_of_singular_jacobians_stay_finite() -> None:
    zero = np.zeros((10, 2, 2), np.float32)
    assert np.isfinite(relative_maps(zero, np.ones((10, 2, 2), np.float32))).all()


def test_batches_agree_with_single_frames(face: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    table = load_card("s").face_table() if "s" in shipped() else FaceTable.blank()
    keypoints = MeshKeypoints(table)
    source = keypoints.keyframe(face).to_array()
    frames = [moved(face, np.eye(2) + rng.normal(0, 0.05, (2, 2)), np.zeros(2)) for _ in range(3)]
    driving = np.stack([keypoints.motion(f).to_array() for f in frames])
    rebuilder, points = PointRebuilder(table), select_points(face)
    batch = rebuilder.rebuild(
        np.broadcast_to(source, driving.shape), np.broadcast_to(points, (3, *points.shape)), driving
    )
    for one, numbers in zip(batch, driving, strict=True):
        np.testing.assert_allclose(one, rebuilder.rebuild(source, points, numbers), atol=1e-5)
