from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.crop import resize
from facewire.sender.tracking.follow import FaceChoice
from facewire.sender.tracking.observer import Observer
from facewire.sender.tracking.tracker import Tracker

from ..conftest import Box, FakeTracker, Frame, mesh

SMALL: Box = (10, 12, 50, 62)  # of 256: far too small for a head crop
HEAD: Box = (60, 60, 180, 200)
rng = np.random.default_rng(0)
NOISE = rng.integers(0, 256, (256, 256, 3)).astype(np.uint8)


def observer(*script: list[Box], size: int = 256, crop: bool = True) -> Observer:
    return Observer(FakeTracker(script), size, crop=crop)


def test_without_the_switch_the_head_is_cut_out() -> None:
    seen, _ = observer([SMALL]).observe(NOISE, 0.04, 0)
    assert seen is not None
    assert not np.array_equal(seen.picture, NOISE)
    assert np.ptp(seen.landmarks[:, 1]) > 0.9  # of 2: the face fills half of its crop


def test_with_the_switch_a_square_is_taken_whole() -> None:
    whole = observer([SMALL], crop=False)
    for _ in range(3):
        seen, _ = whole.observe(NOISE, 0.04, 0)
        assert seen is not None
        assert np.array_equal(seen.picture, NOISE)
        np.testing.assert_allclose(seen.landmarks, mesh(SMALL) / 128 - 1, atol=1e-5)


def test_a_whole_square_of_another_size_is_scaled() -> None:
    large = NOISE.repeat(2, 0).repeat(2, 1)
    box: Box = (20, 24, 100, 124)
    seen, _ = observer([box], crop=False).observe(large, 0.04, 0)
    assert seen is not None
    assert np.array_equal(seen.picture, NOISE)
    np.testing.assert_allclose(seen.landmarks, mesh(SMALL) / 128 - 1, atol=1e-5)


def test_what_is_not_square_cannot_be_taken_whole() -> None:
    with pytest.raises(ConfigError, match=r"a frame is square, not \[256, 200\]"):
        observer([HEAD], crop=False).observe(NOISE[:, :200], 0.04, 0)


@pytest.mark.parametrize("crop", [True, False])
@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((), np.uint8),
        np.zeros(9, np.uint8),
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((8, 8, 3), np.float32),
    ],
)
def test_what_is_no_frame_is_refused(frame: Frame, crop: bool) -> None:
    with pytest.raises(ConfigError, match=r"a frame is uint8 \[H, W, 3\]"):
        observer([HEAD], crop=crop).observe(frame, 0.04, 0)


@pytest.mark.parametrize("crop", [True, False])
def test_crops_go_on_where_the_face_is_away(crop: bool) -> None:
    watched = observer([], [SMALL], [], [SMALL], crop=crop)
    assert watched.crop(NOISE, 0.04, 0) is None  # nothing was seen yet
    first = watched.crop(NOISE, 0.04, 40)
    away = watched.crop(NOISE, 0.04, 80)
    assert first is not None
    assert away is not None
    assert np.array_equal(away, first)
    assert np.array_equal(first, NOISE) != crop
    watched.reset()
    watched._finder._tracker = FakeTracker([[]])
    assert watched.crop(NOISE, 0.04, 0) is None


def test_an_encoder_hands_the_switch_on() -> None:
    encoder = Encoder(EncoderConfig(crop=False), tracker=FakeTracker([[HEAD]]))
    assert encoder.encode(NOISE)
    with pytest.raises(ConfigError, match="without cropping a frame is square"):
        encoder.encode(NOISE[:, :200])
    cropping = Encoder(EncoderConfig(), tracker=FakeTracker([[HEAD]]))
    assert cropping.encode(NOISE[:, :200])


@pytest.mark.parametrize("factor", [0.5, 0.75, 1.5])
def test_frames_that_change_their_size_show_the_same_person_without_a_break(
    frames: list[Frame], factor: float
) -> None:
    """As WebRTC records it: the size changes midway, the person does not."""
    canvas = np.full((360, 640, 3), 90, np.uint8)
    side = round(640 * factor), round(360 * factor)
    with Tracker() as tracker:
        watched = Observer(tracker, 256, partial(Tracker, still=True))
        crops, marks = [], []
        for index in range(8):
            frame = canvas.copy()
            frame[60:316, 200:456] = frames[index // 4]
            if index >= 4:
                frame = resize(frame, *side)
            seen, changed = watched.observe(frame, 0.04, 40 * index)
            assert seen is not None, f"the face froze at frame {index}"
            assert not changed
            crops.append(seen.picture.astype(int))
            marks.append(seen.landmarks)
    assert np.abs(crops[4] - crops[3]).mean() < 12
    assert np.linalg.norm(marks[4] - marks[3], axis=1).mean() < 0.04  # of 2


def test_frames_that_change_their_form_are_a_new_scene(frames: list[Frame]) -> None:
    with Tracker() as tracker:
        watched = Observer(tracker, 256, partial(Tracker, still=True))
        wide, tall = (np.full((*shape, 3), 90, np.uint8) for shape in ((256, 480), (480, 256)))
        wide[:, 100:356] = frames[0]
        tall[200:456] = frames[0]
        assert watched.observe(wide, 0.04, 0)[0] is not None
        seen, changed = watched.observe(tall, 0.04, 40)
    assert seen is not None
    assert changed


@pytest.fixture(scope="module")
def slides(frames: list[Frame]) -> list[Frame]:
    """A still portrait, large on a slide, and a small speaker in the corner, as after a codec."""
    noise = np.random.default_rng(1)
    scene = np.full((360, 640, 3), 235, np.uint8)
    scene[20:340, 20:340] = resize(frames[0][:, ::-1], 320, 320)
    pictures = []
    for index in range(90):
        picture = scene.copy()
        picture[220:350, 500:630] = resize(frames[index % len(frames)], 130, 130)
        noisy = picture + noise.normal(0, 1.5, picture.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return pictures


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize(
    ("choice", "side"),
    [("largest", "left"), ("moving", "right"), (1, "left"), (2, "right"), (9, "right")],
)
def test_which_face(slides: list[Frame], choice: FaceChoice, side: str, spread: bool) -> None:
    still = partial(Tracker, still=True)
    with Tracker() as tracker:
        watched = Observer(tracker, 256, still, face=choice, spread=spread)
        for index, frame in enumerate(slides if spread else slides[:40]):
            watched.observe(frame, 0.04, 40 * index)
            assert spread or watched._last is not None
    assert watched._last is not None
    middle = watched._last.left + watched._last.side / 2
    assert (middle > 400) == (side == "right")


def test_the_face_in_the_middle(frames: list[Frame]) -> None:
    frame = np.full((360, 640, 3), 90, np.uint8)
    frame[:256, :256] = frames[0]
    frame[120:300, 280:460] = resize(frames[1], 180, 180)
    with Tracker() as tracker:
        watched = Observer(tracker, 256, partial(Tracker, still=True), face="centre")
        watched.observe(frame, 0.04, 0)
    assert watched._last is not None
    assert watched._last.left > 240


def test_a_speaker_who_sits_still_for_a_while_is_kept(slides: list[Frame]) -> None:
    """ "moving" prefers faces that move; it does not leave one for a face that is still too."""
    with Tracker() as tracker:
        watched = Observer(tracker, 256, partial(Tracker, still=True), face="moving")
        script = slides[:40] + slides[:1] * 60
        for index, frame in enumerate(script):
            watched.observe(frame, 0.1, 100 * index)
    assert watched._last is not None
    assert watched._last.left > 400
