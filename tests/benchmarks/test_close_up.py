"""The papers' crops: the face in the middle, and pictures cut as their landmarks say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.close_up import close_up, squares
from facewire.models.apb2face.landmarks import select_106
from tests.models.conftest import made_clip


def test_landmarks_fill_the_crop_alike_wherever_the_head_is() -> None:
    clip = made_clip("clip", "a", 6)
    shift = np.linspace(-0.2, 0.3, len(clip.landmarks))[:, None, None]
    moved = replace(clip, landmarks=(clip.landmarks * (1 + shift) + shift).astype(np.float32))
    for one in (clip, moved):
        marks = select_106(close_up(one).landmarks)
        low, high = marks.min(1), marks.max(1)
        np.testing.assert_allclose((low + high) / 2, 0, atol=1e-5)
        np.testing.assert_allclose((high - low).max(1), 2 / 1.4, rtol=1e-5)
    np.testing.assert_allclose(
        close_up(moved).landmarks, close_up(clip).landmarks, rtol=1e-3, atol=1e-4
    )


def test_pictures_are_cut_as_their_landmarks() -> None:
    """A white dot on a landmark stays on it."""
    clip = made_clip("clip", "a", 6)
    frames = np.zeros_like(clip.frames)
    side = frames.shape[1]
    point = 152  # of the chin
    for position, frame in enumerate(clip.kept):
        x, y = ((clip.landmarks[frame, point] + 1) / 2 * side - 0.5).round().astype(int)
        frames[position, y, x] = 255
    clip = replace(clip, frames=frames)
    made = close_up(clip)
    _, half = squares(clip.landmarks)
    for position, frame in enumerate(made.kept):
        light = np.asarray(made.frames[position, ..., 0], np.float64)
        rows, columns = np.mgrid[:side, :side]
        at = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
        wanted = (made.landmarks[frame, point] + 1) / 2 * side - 0.5
        assert np.abs(at - wanted).max() < 0.6 / half[frame] + 0.5


def test_frames_without_a_face_stay_as_they_are() -> None:
    clip = made_clip("clip", "a", 6)
    faces = clip.faces.copy()
    faces[clip.kept[1]] = 0
    clip = replace(clip, faces=faces)
    made = close_up(clip)
    np.testing.assert_array_equal(made.landmarks[clip.kept[1]], clip.landmarks[clip.kept[1]])
    np.testing.assert_array_equal(made.frames[1], clip.frames[1])
