from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from facewire.sender.tracking.observer import Observer

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
