from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.sender.tracking.crop import resize
from facewire.sender.tracking.finder import TRACKED_SIDE, Finder, tiles
from facewire.sender.tracking.tracker import Tracker

from ..conftest import Box, FakeTracker, Frame

WIDE = np.full((720, 1280, 3), 90, np.uint8)


def still() -> Tracker:
    return Tracker(still=True)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_tiles_cover_the_frame_and_overlap(height: int, width: int) -> None:
    found = list(tiles(height, width))
    if min(height, width) < 32 or max(height, width) > 20 * min(height, width):
        assert len(found) <= 48
        return
    for side in {tile.width for tile in found}:
        level = [tile for tile in found if tile.width == side]
        for at, length in (("left", width), ("top", height)):
            starts = sorted({getattr(tile, at) for tile in level})
            assert starts[0] == 0
            assert starts[-1] + side == length
            gaps = np.diff(starts)
            assert not len(gaps) or gaps.max() <= side / 2 + 1
    assert len(found) <= 96


def test_small_picture_is_looked_at_as_it_is() -> None:
    tracker = FakeTracker([[(60.0, 60.0, 180.0, 200.0)]])
    finder = Finder(tracker, None)
    frame = np.zeros((256, 256, 3), np.uint8)
    for _ in range(3):
        (face,) = finder.find(frame, 0.04, 0)
        assert face.box == pytest.approx((60, 60, 180, 200), abs=1e-3)
        finder.keep(face, (256, 256))
    assert set(tracker.sizes) == {(256, 256)}


def test_window_stands_while_the_face_does_and_moves_with_it() -> None:
    tracker = FakeTracker([[(200.0, 60.0, 280.0, 160.0)]])
    finder = Finder(tracker, None)
    (face,) = finder.find(WIDE, 0.04, 0)
    assert face.box == pytest.approx((500, 150, 700, 400), abs=0.1)
    finder.keep(face, (720, 1280))
    # In the window of 750 x 720 about it the tracker now reports the same place.
    here: Box = (188.0, 75.0, 324.0, 246.0)
    tracker._script = [[here]]
    (same,) = finder.find(WIDE, 0.04, 40)
    assert same.box == pytest.approx((500, 110, 700, 360), abs=2)
    finder.keep(same, (720, 1280))
    (again,) = finder.find(WIDE, 0.04, 80)
    assert again.box == same.box
    assert tracker.sizes[1] == tracker.sizes[2] == (492, TRACKED_SIDE)


@pytest.mark.parametrize("share", [1.0, 0.4, 0.18])
def test_faces_of_all_sizes_are_found_at_once(frames: list[Frame], share: float) -> None:
    """The whole clip is 720 high at 1.0; at 0.18 the face has a tenth of the height."""
    side = round(720 * share)
    canvas = WIDE.copy()
    canvas[:side, 1280 - side :] = resize(frames[0], side, side)
    with Tracker() as tracker:
        finder = Finder(tracker, still)
        for index in range(3):
            faces = finder.find(canvas, 0.04, 40 * index)
            assert faces
            x0, y0, x1, y1 = faces[0].box
            assert 1280 - side <= x0 < x1 <= 1280
            assert 0.4 * side < y1 - y0 < 0.65 * side
            finder.keep(faces[0], (720, 1280))
        finder.close()


def test_lost_in_its_window_it_is_searched_for_elsewhere(frames: list[Frame]) -> None:
    left, right = WIDE.copy(), WIDE.copy()
    small = resize(frames[0], 200, 200)
    left[:200, :200] = small
    right[500:700, 1000:1200] = small
    with Tracker() as tracker:
        finder = Finder(tracker, still)
        (face, *_) = finder.find(left, 0.04, 0)
        finder.keep(face, (720, 1280))
        found = [bool(finder.find(right, 0.04, 40 * k)) for k in range(1, 20)]
        finder.close()
    assert found.index(True) == 12  # half a second


def test_searches_are_rare() -> None:
    searched = FakeTracker([[]])
    finder = Finder(FakeTracker([[]]), lambda: searched)
    for index in range(50):
        assert finder.find(WIDE, 0.04, 40 * index) == []
    per_search = len(list(tiles(720, 1280)))
    assert len(searched.sizes) <= 5 * per_search


def test_a_survey_finds_small_faces_beside_large_ones_each_once(frames: list[Frame]) -> None:
    canvas = WIDE.copy()
    canvas[:600, :600] = resize(frames[0], 600, 600)
    canvas[560:700, 1100:1240] = resize(frames[4], 140, 140)
    with Tracker() as tracker:
        finder = Finder(tracker, still)
        faces = finder.survey(canvas)
        finder.close()
    assert len(faces) == 2
    assert faces[0].box[2] < 600
    assert faces[1].box[0] > 1100


def test_the_window_is_scaled_with_the_frames() -> None:
    tracker = FakeTracker([[(200.0, 60.0, 280.0, 160.0)]])
    finder = Finder(tracker, None)
    (face,) = finder.find(WIDE, 0.04, 0)
    finder.keep(face, (720, 1280))
    half = np.ascontiguousarray(WIDE[::2, ::2])
    finder.rescale(0.5, 0.5)
    tracker._script = [[(188.0, 75.0, 324.0, 246.0)]]
    (same,) = finder.find(half, 0.04, 40)
    assert tracker.sizes[-1][1] < 400  # a window of the half frame, not all of it
    assert same.box[0] > 200


def test_a_search_that_is_spread_looks_at_one_part_a_frame() -> None:
    searched = FakeTracker([[]])
    finder = Finder(FakeTracker([[]]), lambda: searched, spread=True)
    for index in range(50):
        before = len(searched.sizes)
        assert finder.find(WIDE, 0.04, 40 * index) == []
        assert len(searched.sizes) <= before + 1
    assert len(searched.sizes) >= len(list(tiles(720, 1280)))


@pytest.mark.parametrize("share", [1.0, 0.4, 0.18])
def test_a_spread_search_finds_faces_of_all_sizes(frames: list[Frame], share: float) -> None:
    side = round(720 * share)
    canvas = WIDE.copy()
    canvas[:side, 1280 - side :] = resize(frames[0], side, side)
    with Tracker() as tracker:
        finder = Finder(tracker, still, spread=True)
        found = [finder.find(canvas, 0.04, 40 * index) for index in range(30)]
        finder.close()
    first = next(index for index, faces in enumerate(found) if faces)
    assert first <= len(list(tiles(720, 1280)))
    x0, y0, x1, y1 = found[first][0].box
    assert 1280 - side <= x0 < x1 <= 1280
    assert 0.4 * side < y1 - y0 < 0.65 * side


def test_a_spread_survey_ends_with_its_last_part_or_with_frames_of_another_size() -> None:
    searched = FakeTracker([[(60.0, 60.0, 180.0, 200.0)]])
    finder = Finder(FakeTracker([[]]), lambda: searched, spread=True)
    count = len(list(tiles(720, 1280)))
    parts = [finder.survey(WIDE) for _ in range(count)]
    assert parts[:-1] == [None] * (count - 1)
    assert parts[-1]
    assert finder.survey(WIDE) is None
    assert finder.survey(WIDE[::2, ::2]) == []
