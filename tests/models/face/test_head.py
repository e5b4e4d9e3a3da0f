from __future__ import annotations

import numpy as np
import pytest

from facewire.models.face.head import (
    INNER_LIPS,
    MOUTH_AT,
    MOUTH_POINTS,
    HeadCoordinates,
    mouth_opening,
)
from facewire.models.face.mesh import MOUTH, POINTS

RIGHT, LEFT = POINTS.index(33), POINTS.index(263)


@pytest.fixture
def face() -> np.ndarray:
    return np.random.default_rng(3).uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)


def moved(points: np.ndarray, size: float, turn: float, shift: tuple[float, float]) -> np.ndarray:
    rotation = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    return (size * points @ np.array(rotation).T + shift).astype(np.float32)


def test_place_size_and_roll_are_taken_out(face: np.ndarray) -> None:
    head = HeadCoordinates(face)
    np.testing.assert_allclose(
        head.mouth(moved(face, 1.7, 0.6, (0.3, -0.2))), head.mouth(face), atol=1e-5
    )


def test_the_unit_is_the_distance_of_the_outer_eye_corners(face: np.ndarray) -> None:
    face[[RIGHT, LEFT]] = (-0.2, 0.1), (0.2, 0.1)
    mouth = HeadCoordinates(face).mouth(face)
    expected = mouth_opening(face[MOUTH_AT]) / 0.4
    assert mouth_opening(mouth) == pytest.approx(expected, rel=1e-5)
    upper, lower = INNER_LIPS
    assert (MOUTH[upper], MOUTH[lower]) == (13, 14)


def test_a_mouth_is_put_back_where_it_was(face: np.ndarray) -> None:
    head = HeadCoordinates(face)
    frames = np.stack([moved(face, 1.2, 0.1, (0.1, 0)), moved(face, 0.8, -0.3, (0, 0.2))])
    np.testing.assert_allclose(head.placed(frames, head.mouth(frames)), frames, atol=1e-5)
    other = head.placed(frames, head.mouth(frames) + np.float32(0.1))
    changed = np.abs(other - frames).max((0, 2)) > 1e-4
    assert changed.sum() == MOUTH_POINTS
    assert changed[MOUTH_AT].all()


def test_a_face_without_extent_gives_finite_numbers() -> None:
    nothing = np.zeros((len(POINTS), 2), np.float32)
    head = HeadCoordinates(nothing)
    assert np.isfinite(head.mouth(nothing)).all()
    assert np.isfinite(head.placed(nothing, head.mouth(nothing))).all()
