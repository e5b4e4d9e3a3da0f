from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import FacewireError, MediaError, NoFaceError
from facewire.models.face.observation import Observation
from facewire.sender.photo import Portrait, read_portrait
from facewire.sender.reenactment.head import Head, HeadFinder
from facewire.sender.reenactment.sitter import Sitter
from facewire.sender.tracking.crop import resize
from facewire.sender.tracking.tracker import Face, Tracker
from tests.photographs import save_8k

from .faces import HEADS, face, seen, speaking

Frame = npt.NDArray[np.uint8]


def find(picture: Frame, heads: HeadFinder = HEADS) -> Sitter:
    portrait = Portrait(picture, name="me.jpg")
    return Sitter.find(portrait, lambda: Tracker(still=True), heads, 256)


@pytest.mark.parametrize("side", [96, 256, 1500])
def test_a_face_is_found_and_cropped(frames: list[Frame], side: int) -> None:
    picture = resize(frames[0], side, side)
    sitter = find(picture)
    assert sitter.view.seen.picture.shape == (256, 256, 3)
    assert np.abs(sitter.view.seen.landmarks).max() < 1.2
    assert sitter.head.aside < 25
    assert not sitter.view.faceless


def test_a_small_face_in_a_large_picture(frames: list[Frame]) -> None:
    scene = np.full((1200, 2000, 3), 120, np.uint8)
    scene[700:956, 1500:1756] = frames[0]
    sitter = find(scene)
    alone = find(frames[0])
    tall = [np.ptp(one.view.seen.landmarks[:, 1]) for one in (sitter, alone)]
    assert tall[0] == pytest.approx(tall[1], rel=0.25)


def test_no_face() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    with pytest.raises(NoFaceError, match=r"no face was found in me\.jpg"):
        find(noise)


def painted(picture: Frame, brush: int, colours: int) -> Frame:
    """An oil painting of a picture: every pixel gets the mean colour of the lightness that is most
    frequent under a square brush around it, and of each primary colour there are only a few shades.
    """
    import cv2

    level = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(int) * 8 // 256
    most, found = np.full(level.shape, -1.0), np.zeros(picture.shape)
    for number in range(8):
        here = (level == number).astype(np.float32)
        share = cv2.blur(here, (brush, brush))
        mean = cv2.blur(picture * here[..., None], (brush, brush)) / (share[..., None] + 1e-6)
        found[share > most] = mean[share > most]
        most = np.maximum(most, share)
    step = 256 // colours
    return np.clip(found // step * step + step // 2, 0, 255).astype(np.uint8)


def test_a_painting_that_is_like_a_photograph_is_taken(frames: list[Frame]) -> None:
    painting, photo = find(painted(frames[0], 9, 4)), find(frames[0])
    apart = np.abs(painting.view.seen.landmarks - photo.view.seen.landmarks)
    assert apart.mean() < 0.1  # of half the crop's side


def test_a_painting_without_eyes_and_nose_is_refused(frames: list[Frame]) -> None:
    with pytest.raises(NoFaceError, match=r"me\.jpg.*a painting may be too unlike a photograph"):
        find(painted(frames[0], 21, 3))


def test_a_photograph_of_8k_is_taken(frames: list[Frame], tmp_path: Path) -> None:
    portrait = read_portrait(save_8k(frames[0], tmp_path / "me.jpg"))
    assert portrait.picture.shape == (4320, 7680, 3)
    large, small = find(portrait.picture), find(frames[0])
    assert large.view.seen.picture.shape == (256, 256, 3)
    apart = np.abs(large.view.seen.landmarks - small.view.seen.landmarks)
    assert apart.mean() < 0.05


def test_two_faces_of_one_size_are_refused_and_one_in_the_background_is_not(
    frames: list[Frame],
) -> None:
    with pytest.raises(MediaError, match="2 faces of about the same size"):
        find(np.concatenate([frames[0], frames[0]], 1))
    scene = np.full((512, 800, 3), 120, np.uint8)
    scene[:, :512] = resize(frames[0], 512, 512)
    scene[100:300, 580:780] = resize(frames[0], 200, 200)
    left = find(scene).view.seen.picture
    assert left.shape == (256, 256, 3)


def test_a_face_that_is_found_twice_is_one_face(frames: list[Frame]) -> None:
    """As where one part of a picture cuts it off."""
    face = Tracker(still=True).track(frames[0])[0]
    again = replace(face, landmarks=face.landmarks * 0.9 + 12)

    class Twice:
        def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
            return [face, again]

        def close(self) -> None:
            """Nothing."""

    portrait = Portrait(frames[0], name="me.jpg")
    assert Sitter.find(portrait, Twice, HEADS, 256).head.aside < 25


def test_a_tiny_face_is_refused(frames: list[Frame]) -> None:
    with pytest.raises(MediaError, match="pixels high; it needs 48"):
        find(resize(frames[0], 64, 64))


class Scripted:
    """A tracker that sees this face, in pixels of a picture of 256 by 256."""

    def __init__(self, what: Observation) -> None:
        depth = None if what.depth is None else what.depth * 128
        self._face = Face((what.landmarks + 1) * 128, depth=depth)

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        return [self._face] if len(frame) == 256 else []

    def close(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (seen(face(), (60, 0, 0)), "looks 60 degrees aside"),
        (seen(speaking(face(), 0, 1.0)), "the eyes in me.jpg are shut"),
        (replace(seen(face()), depth=None), "depth"),
    ],
)
def test_a_profile_and_shut_eyes_are_refused(what: Observation, error: str) -> None:
    portrait = Portrait(np.zeros((256, 256, 3), np.uint8), name="me.jpg")
    with pytest.raises(FacewireError, match=error):
        Sitter.find(portrait, lambda: Scripted(what), HEADS, 256)


def test_an_open_mouth_is_told_and_taken(caplog: pytest.LogCaptureFixture) -> None:
    portrait = Portrait(np.zeros((256, 256, 3), np.uint8), name="me.jpg")
    sitter = Sitter.find(portrait, lambda: Scripted(seen(speaking(face(), 1.5))), HEADS, 256)
    assert isinstance(sitter.head, Head)
    assert "the mouth in me.jpg is open" in caplog.text
