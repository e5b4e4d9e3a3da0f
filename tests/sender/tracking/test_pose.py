"""The fit of the canonical face; `test_same_as_mediapipe.py` compares whole poses."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.models.third_party import find_asset
from facewire.sender.tracking.pose import HeadPose, similarity


def test_a_similarity_is_found_again() -> None:
    rng = np.random.default_rng(0)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    rotation *= np.sign(np.linalg.det(rotation))
    points = rng.normal(size=(40, 3))
    moved = 2.5 * points @ rotation.T + (1, -2, 3)
    matrix = similarity(points, moved, rng.uniform(0.1, 1, 40))
    np.testing.assert_allclose(matrix[:3, :3], 2.5 * rotation, atol=1e-9)
    np.testing.assert_allclose(matrix[:3, 3], (1, -2, 3), atol=1e-9)


def test_points_without_extent_have_no_similarity() -> None:
    with pytest.raises(ValueError, match="no extent"):
        similarity(np.ones((5, 3)), np.ones((5, 3)), np.ones(5))


def test_a_face_without_extent_has_no_pose() -> None:
    pose = HeadPose(find_asset("face_landmarker.task"))
    assert pose.fit(np.full((478, 3), 0.0, np.float32), 100, 100) is None
