from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError
from facewire.sender.config import EncoderConfig
from facewire.sender.tracking.crop import Box
from facewire.sender.tracking.cuts import CutDetector
from facewire.sender.tracking.follow import FaceChoice, Follower
from facewire.sender.tracking.movement import overlap
from facewire.sender.tracking.tracker import Face

from ..conftest import mesh

LEFT: Box = (50, 50, 150, 160)
RIGHT: Box = (300, 50, 420, 180)


def faces(*boxes: Box) -> list[Face]:
    return sorted((Face(mesh(b)) for b in boxes), key=lambda f: f.box[0] - f.box[2])


def shift(box: Box, by: float) -> Box:
    return box[0] + by, box[1], box[2] + by, box[3]


def test_the_largest_face_is_taken_first() -> None:
    followed = Follower().follow(faces(LEFT, RIGHT), 0.04)
    assert followed.face is not None
    assert abs(followed.face.box[0] - RIGHT[0]) < 1
    assert not followed.changed


def test_it_is_followed_though_another_grows_larger() -> None:
    follower = Follower()
    follower.follow(faces(LEFT), 0.04)
    for step in range(50):
        big = (300.0, 0.0, 600.0, 400.0)
        followed = follower.follow(faces(shift(LEFT, 2 * step), big), 0.04)
        assert followed.face is not None
        assert abs(followed.face.box[0] - LEFT[0] - 2 * step) < 1
        assert not followed.changed


def test_a_short_absence_does_not_hand_over_to_the_other() -> None:
    follower = Follower()
    follower.follow(faces(LEFT), 0.04)
    for _ in range(8):
        assert follower.follow(faces(RIGHT), 0.04).face is None
    back = follower.follow(faces(LEFT, RIGHT), 0.04)
    assert back.face is not None
    assert not back.changed
    assert back.face.box[0] < 200


def test_after_half_a_second_the_other_is_taken() -> None:
    follower = Follower()
    follower.follow(faces(LEFT), 0.04)
    got = [follower.follow(faces(RIGHT), 0.04) for _ in range(20)]
    taken = [k for k, followed in enumerate(got) if followed.face is not None]
    assert taken[0] == 12
    assert got[12].changed
    assert not got[13].changed


def test_a_face_that_comes_back_to_its_place_is_the_same() -> None:
    follower = Follower()
    follower.follow(faces(LEFT), 0.04)
    for _ in range(100):
        assert follower.follow([], 0.04).face is None
    back = follower.follow(faces(LEFT), 0.04)
    assert back.face is not None
    assert not back.changed


def test_a_cut_hands_over_at_once() -> None:
    follower = Follower()
    follower.follow(faces(LEFT), 0.04)
    followed = follower.follow(faces(RIGHT), 0.04, cut=True)
    assert followed.face is not None
    assert followed.changed


def test_cut_detector_tells_cuts_from_noise_and_motion() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 255, (12, 12, 3)).repeat(10, 0).repeat(10, 1) for _ in range(2))
    detector = CutDetector()
    assert not detector.push(one.astype(np.uint8))
    for step in range(5):
        moved = np.roll(one, step, 1) + rng.normal(0, 6, one.shape)
        assert not detector.push(np.clip(moved, 0, 255).astype(np.uint8))
    assert detector.push(other.astype(np.uint8))
    assert not detector.push(other.astype(np.uint8))


corners = st.tuples(st.floats(0, 100), st.floats(0, 100))


@given(corners, corners)
def test_overlap_is_a_share(a: tuple[float, float], b: tuple[float, float]) -> None:
    one, other = (*a, a[0] + 10, a[1] + 20), (*b, b[0] + 30, b[1] + 5)
    assert 0 <= overlap(one, other) <= 1
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, one) == 1


@pytest.mark.parametrize("face", ["nobody", "", 0, 100])
def test_a_choice_that_is_none_is_refused(face: FaceChoice) -> None:
    with pytest.raises(ConfigError, match="face"):
        EncoderConfig(face=face)


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(ConfigError, match="'openvino' or 'mediapipe', not 'magic'"):
        EncoderConfig(tracker="magic")  # type: ignore[arg-type]


def test_looks_at_all_faces_are_rare() -> None:
    """Each takes as long as many frames."""
    largest, centre = Follower(), Follower("centre")
    asked = [0, 0]
    for _ in range(100):
        for index, follower in enumerate((largest, centre)):
            wants = follower.wants_all(0.04)
            asked[index] += wants
            everyone = faces(LEFT, RIGHT) if wants else None
            follower.follow(faces(LEFT, RIGHT), 0.04, everyone=everyone, size=(360, 640))
    assert asked == [0, 1]
    cut = [centre.wants_all(0.04, cut=True) for _ in range(25)]  # and nobody is found
    assert cut[0]
    assert sum(cut) == 3


def test_a_face_that_moves_takes_over_from_one_that_does_not() -> None:
    follower = Follower("moving")
    for step in range(30):
        here = faces(RIGHT, shift(LEFT, 2 * step))
        everyone = here if follower.wants_all(0.04) else None
        followed = follower.follow(here, 0.04, everyone=everyone)
        assert followed.face is not None
        if step < 5:
            assert followed.face.box[0] == RIGHT[0]
    assert followed.face.box[0] < 200
