from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.sender.tracking.crop import Box, Cropper, Rectangle, cut, resize, to_picture

HD = (720, 1280)


def box(x: float, y: float, height: float) -> Box:
    return x - 0.4 * height, y - height / 2, x + 0.4 * height, y + height / 2


def test_a_head_crop_is_taken_whole_and_unchanged() -> None:
    cropper = Cropper()
    frame = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    for x in (120, 140, 90):
        rectangle = cropper.update(box(x, 140, 140), (256, 256), 0.04)
        assert rectangle == Rectangle(0, 0, 256)
        assert np.array_equal(cut(frame, rectangle, 256), frame)


@pytest.mark.parametrize("height", [40, 240])
def test_a_square_that_is_no_head_crop_is_cropped(height: float) -> None:
    rectangle = Cropper().update(box(128, 128, height), (256, 256), 0.04)
    assert rectangle.side != 256


def test_jitter_does_not_move_the_crop() -> None:
    cropper, rng = Cropper(), np.random.default_rng(1)
    first = cropper.update(box(600, 300, 200), HD, 0.04)
    for _ in range(200):
        x, y, height = rng.normal((600, 300, 200), (10, 10, 8))
        assert cropper.update(box(x, y, height), HD, 0.04) == first


def test_crop_follows_smoothly_when_the_head_leaves_and_stands_again() -> None:
    cropper = Cropper()
    start = cropper.update(box(400, 300, 200), HD, 0.04)
    path = [cropper.update(box(800, 300, 200), HD, 0.04) for _ in range(100)]
    steps = np.diff([r.left for r in (start, *path)])
    assert (steps >= 0).all()
    assert steps.max() < 60  # of the 400 pixels: no jump
    assert path[-1] == path[-20]
    wanted = Cropper().update(box(800, 300, 200), HD, 0.04)
    assert abs(path[-1].left - wanted.left) <= 5
    assert abs(path[-1].side - wanted.side) <= 3


def test_crop_zooms_when_the_head_comes_near() -> None:
    cropper = Cropper()
    small = cropper.update(box(600, 360, 150), HD, 0.04).side
    for _ in range(100):
        last = cropper.update(box(600, 360, 300), HD, 0.04).side
    assert last > 1.8 * small


def test_the_crop_is_scaled_with_the_frames() -> None:
    cropper = Cropper()
    large = cropper.update(box(600, 300, 200), HD, 0.04)
    half = (HD[0] // 2, HD[1] // 2)
    cropper.rescale(0.5, 0.5)
    # 40 pixels off: inside what the crop tolerates, so that it stays where it was.
    small = cropper.update(box(310, 150, 100), half, 0.04)
    assert abs(small.side - large.side / 2) <= 1
    assert abs(small.left - large.left / 2) <= 1
    assert abs(small.top - large.top / 2) <= 1


def test_a_head_crop_stays_whole_in_another_size() -> None:
    cropper = Cropper()
    cropper.update((80, 60, 180, 200), (256, 256), 0.04)
    cropper.rescale(110 / 256, 110 / 256)
    assert cropper.update((5, 5, 60, 90), (110, 110), 0.04) == Rectangle(0, 0, 110)


@given(
    st.integers(16, 2000),
    st.integers(16, 2000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0.02, 1),
)
def test_crop_holds_the_face_and_stays_inside_where_it_can(
    height: int, width: int, x: float, y: float, size: float
) -> None:
    tall = max(2.0, size * min(height, width))
    face = box(x * width, y * height, tall)
    rectangle = Cropper().update(face, (height, width), 0.04)
    frame = np.zeros((height, width, 3), np.uint8)
    assert cut(frame, rectangle, 32).shape == (32, 32, 3)
    assert rectangle.side >= tall
    if rectangle.side <= min(height, width):
        assert rectangle.left >= -1
        assert rectangle.top >= -1
        assert rectangle.left + rectangle.side <= width + 1
        assert rectangle.top + rectangle.side <= height + 1


def test_beyond_the_border_the_edge_is_repeated() -> None:
    frame = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    got = cut(frame, Rectangle(-2, -2, 8), 8)
    assert (got[:3, :3] == frame[0, 0]).all()
    assert (got[5:, 5:] == frame[3, 3]).all()
    assert np.array_equal(got[2:6, 2:6], frame)


def test_shrinking_averages() -> None:
    """A checkerboard becomes grey; without an area filter it would alias."""
    frame = np.indices((512, 512)).sum(0) % 2 * 255
    small = resize(np.repeat(frame[..., None], 3, 2).astype(np.uint8), 128, 128)
    assert np.abs(small.astype(int) - 127).max() <= 1


def test_landmarks_go_with_the_crop() -> None:
    rectangle = Rectangle(100, 50, 200)
    points = np.array([[100, 50], [300, 250], [200, 150]], np.float32)
    assert to_picture(points, rectangle).tolist() == [[-1, -1], [1, 1], [0, 0]]
