"""Gaze in two numbers: what it follows, and what it does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facewire.models.avfr.geometry import Drawing, smoothed_residual
from facewire.models.face.gaze import EYE_CORNERS, GazeFollower, gaze_of, with_irises
from facewire.models.face.mesh import IRISES, LANDMARKS, POINTS, mirror_map, select_points


def a_face(rng: np.random.Generator, gaze: tuple[float, float]) -> np.ndarray:
    """Landmarks of no particular face, whose eyes look the same way."""
    face = rng.uniform(-0.5, 0.5, (LANDMARKS, 2)).astype(np.float32)
    face[[33, 133, 362, 263]] = [[-0.4, -0.2], [-0.1, -0.18], [0.1, -0.18], [0.4, -0.2]]
    face[list(IRISES)] = with_irises(select_points(face), np.array(gaze, np.float32))[-2:]
    return face


@pytest.mark.parametrize("gaze", [(0.0, 0.0), (0.4, -0.1), (-0.7, 0.3)])
def test_irises_stand_where_the_gaze_says(gaze: tuple[float, float]) -> None:
    face = a_face(np.random.default_rng(0), gaze)
    np.testing.assert_allclose(gaze_of(face), gaze, atol=1e-5)


def test_a_gaze_does_not_change_when_the_head_moves_in_the_picture() -> None:
    face = a_face(np.random.default_rng(1), (0.3, 0.2))
    turn = np.array([[0.9, -0.5], [0.5, 0.9]], np.float32)
    np.testing.assert_allclose(gaze_of(face @ turn.T + np.float32(0.2)), gaze_of(face), atol=1e-5)


def test_a_mirrored_face_looks_the_other_way() -> None:
    face = a_face(np.random.default_rng(2), (0.3, 0.2))
    mirrored = (face * np.array([-1, 1], np.float32))[mirror_map()]
    np.testing.assert_allclose(gaze_of(mirrored), [-0.3, 0.2], atol=1e-5)


def test_an_absurd_iris_stays_within_bounds() -> None:
    face = a_face(np.random.default_rng(3), (0.0, 0.0))
    face[list(IRISES)] = 1e3
    assert np.abs(gaze_of(face)).max() <= 1
    assert np.isfinite(gaze_of(np.zeros((LANDMARKS, 2), np.float32))).all()


def test_the_drawing_has_a_disc_for_each_iris() -> None:
    face = a_face(np.random.default_rng(4), (0.2, 0.0))
    points = torch.from_numpy(with_irises(select_points(face), gaze_of(face)))[None]
    drawing = Drawing(gaze=True)(points, 64)
    assert drawing.shape == (1, 7, 64, 64)
    discs = drawing[0, 6]
    at = ((points[0, -2:] + 1) * 32 - 0.5).round().long()
    assert all(float(discs[y, x]) > 0.7 for x, y in at)
    assert float(discs.sum()) < 64  # two small discs, nothing else
    # The six channels of lines are the same as without irises.
    lines = Drawing()(points[:, : len(POINTS)], 64)
    torch.testing.assert_close(drawing[:, :6], lines)


def test_an_iris_that_moves_bends_the_motion_about_itself() -> None:
    face = a_face(np.random.default_rng(5), (0.0, 0.0))
    points = select_points(face)
    still = torch.from_numpy(with_irises(points, np.zeros(2, np.float32)))[None]
    aside = torch.from_numpy(with_irises(points, np.array([0.5, 0], np.float32)))[None]
    eye = torch.tensor([[[[1.0, 0, 0], [0, 1, 0]]]])
    bend = smoothed_residual(eye, still, aside, 128)
    left, right = EYE_CORNERS[0]
    half = float(points[right, 0] - points[left, 0]) / 2
    x, y = ((aside[0, -2] + 1) * 64 - 0.5).round().long().tolist()
    assert float(bend[0, 0, y, x]) == pytest.approx(-0.5 * half, rel=0.4)  # back to the source
    assert float(bend[0, :, 120:, 120:].abs().max()) < 0.02


def blinking(gaze: tuple[float, float], opening: float) -> np.ndarray:
    """A face whose eyes are so far open."""
    face = a_face(np.random.default_rng(2), gaze)
    for upper, lower, left, right in ((159, 145, 33, 133), (386, 374, 362, 263)):
        middle = face[[left, right]].mean(0)
        half = np.float32([0, opening * np.linalg.norm(face[left] - face[right]) / 2])
        face[upper], face[lower] = middle - half, middle + half
    return face


def test_a_gaze_is_held_while_the_lids_are_shut() -> None:
    follower = GazeFollower()
    moments = [((0.2, 0.1), 0.3), ((-0.8, 0.9), 0.05), ((0.9, 0.9), 0.1), ((-0.4, 0.0), 0.25)]
    found = [follower.push(blinking(*moment)) for moment in moments]
    wanted = [(0.2, 0.1), (0.2, 0.1), (0.2, 0.1), (-0.4, 0.0)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_of_somebody_new_nothing_is_held() -> None:
    follower = GazeFollower()
    shut = blinking((0.5, 0.5), 0.02)
    np.testing.assert_allclose(follower.push(shut), [0.5, 0.5], atol=1e-5)
    follower.push(blinking((0.1, 0.0), 0.3))
    follower.reset()
    np.testing.assert_allclose(follower.push(shut), [0.5, 0.5], atol=1e-5)
