"""Frames that follow a still: coded, decoded, lost and hostile."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import ConfigError, MediaError, StreamError
from facewire.codec.picture.chain import (
    COARSEST,
    FINEST,
    MAX_FRAME,
    ChainDecoder,
    ChainEncoder,
    chain_crf,
)
from facewire.codec.picture.fitting import fit_picture
from facewire.codec.picture.steps import finish
from facewire.codec.picture.still import Anchor, CodedPicture, StillCodec, encode_picture

from ..makers import psnr
from .able import codes_chains

Frame = npt.NDArray[np.uint8]


def moving(index: int, side: int = 64) -> Frame:
    """A bright square that wanders over a gradient."""
    y, x = np.mgrid[:side, :side]
    rgb = np.stack([3 * x, 2 * y, 120 + 0 * x], axis=2).astype(np.uint8)
    left = side // 8 + 2 * index
    rgb[side // 4 : side // 2, left : left + side // 4] = (230, 200, 160)
    return rgb


@dataclass
class Chain:
    frames: list[Frame]
    anchor: Anchor
    data: list[bytes]


def code(quantiser: int, count: int = 12) -> Chain:
    frames = [moving(n) for n in range(count + 1)]
    anchor = Anchor(frames[0], encode_picture(frames[0], quality=30))
    with ChainEncoder(anchor, quantiser) as encoder:
        return Chain(frames[1:], anchor, [encoder.encode(frame) for frame in frames[1:]])


pytestmark = codes_chains


@pytest.fixture(scope="module")
def chain() -> Chain:
    return code(0)


def test_each_frame_comes_back(chain: Chain) -> None:
    decoder = ChainDecoder(chain.anchor.picture)
    for frame, data in zip(chain.frames, chain.data, strict=True):
        assert psnr(decoder.decode(data), frame) > 30


def test_finer_takes_more_bytes_and_shows_more() -> None:
    chains = [code(quantiser, 9) for quantiser in (COARSEST, 20, FINEST)]
    sizes = [sum(map(len, each.data)) for each in chains]
    assert sizes[0] < sizes[1] < sizes[2]
    quality = []
    for each in chains:
        decoder = ChainDecoder(each.anchor.picture)
        shown = [decoder.decode(data) for data in each.data]
        quality.append(np.mean([psnr(a, b) for a, b in zip(shown, each.frames, strict=True)]))
    assert quality[0] < quality[1] < quality[2]


def test_the_scale_is_that_of_the_still(chain: Chain) -> None:
    assert chain.anchor.crf == 30
    assert [chain_crf(chain.anchor, q) for q in (FINEST, 0, 40, COARSEST)] == [14, 30, 40, 56]


def test_a_chain_may_be_far_coarser_than_a_still_that_was_coded_for_it() -> None:
    frames = [moving(n) for n in range(10)]
    sizes = []
    for middle in (None, 44.0):
        still = finish(fit_picture(frames[0], 1200, middle=middle))
        anchor = Anchor(frames[0], still, middle=middle)
        with ChainEncoder(anchor, COARSEST) as encoder:
            data = [encoder.encode(frame) for frame in frames[1:]]
        decoder = ChainDecoder(still)
        for each in data:
            assert decoder.decode(each).shape == frames[0].shape
        sizes.append((chain_crf(anchor, 0), sum(map(len, data))))
    (plain_crf, plain), (crf, coarse) = sizes
    assert crf > plain_crf + 8
    assert coarse < 0.8 * plain


def test_after_lost_frames_the_chain_is_another_one_or_over(chain: Chain) -> None:
    """One lost frame does no harm if none is predicted from it; of nine, one is."""
    decoder = ChainDecoder(chain.anchor.picture)
    decoder.decode(chain.data[0])
    try:
        shown = decoder.decode(chain.data[10])
    except StreamError:
        return
    whole = ChainDecoder(chain.anchor.picture)
    assert not np.array_equal(shown, [whole.decode(data) for data in chain.data[:11]][-1])


def test_another_still_gives_other_pictures_or_an_error(chain: Chain) -> None:
    other = encode_picture(255 - moving(9), quality=40)
    try:
        shown = ChainDecoder(other).decode(chain.data[0])
    except StreamError:
        return
    assert psnr(shown, chain.frames[0]) < 25


@pytest.mark.parametrize("seed", range(20))
def test_damaged_frames_are_shown_wrong_or_refused(chain: Chain, seed: int) -> None:
    rng = np.random.default_rng(seed)
    decoder = ChainDecoder(chain.anchor.picture)
    data = bytearray(chain.data[0])
    for at in rng.integers(0, len(data), 3):
        data[at] ^= 1 << int(rng.integers(8))
    try:
        shown = decoder.decode(bytes(data))
    except StreamError:
        return
    assert shown.shape == chain.frames[0].shape


def test_a_frame_cut_off_anywhere_is_shown_or_refused(chain: Chain) -> None:
    refused = 0
    for end in range(len(chain.data[0])):
        try:
            shown = ChainDecoder(chain.anchor.picture).decode(chain.data[0][:end])
            assert shown.shape == chain.frames[0].shape
        except StreamError:
            refused += 1
    assert refused > len(chain.data[0]) // 2


@pytest.mark.parametrize("data", [b"", b"\x12\x00", bytes(100), bytes(MAX_FRAME + 1)])
def test_what_is_no_frame_is_refused(chain: Chain, data: bytes) -> None:
    with pytest.raises(StreamError):
        ChainDecoder(chain.anchor.picture).decode(data)


def test_two_frames_at_once_and_another_still_are_refused(chain: Chain) -> None:
    with pytest.raises(StreamError, match="exactly one"):
        ChainDecoder(chain.anchor.picture).decode(chain.data[0] + chain.data[1])
    with pytest.raises(StreamError, match="sequence"):
        ChainDecoder(chain.anchor.picture).decode(chain.anchor.picture.data)


def test_a_chain_follows_av1_only() -> None:
    with pytest.raises(StreamError, match="WEBP"):
        ChainDecoder(encode_picture(moving(0), codec=StillCodec.WEBP))
    with pytest.raises(StreamError):
        ChainDecoder(CodedPicture(StillCodec.AV1, 30, b"noise"))


@pytest.mark.parametrize("quantiser", [FINEST - 1, COARSEST + 1])
def test_a_quantiser_off_the_scale_is_a_mistake(chain: Chain, quantiser: int) -> None:
    with pytest.raises(ConfigError):
        ChainEncoder(chain.anchor, quantiser)


def test_a_still_that_this_encoder_does_not_make_is_refused(chain: Chain) -> None:
    foreign = Anchor(moving(5), chain.anchor.picture, 30)
    with pytest.raises(ConfigError):
        ChainEncoder(foreign, 0)


def test_a_frame_of_another_size_is_refused(chain: Chain) -> None:
    with ChainEncoder(chain.anchor, 0) as encoder, pytest.raises(MediaError):
        encoder.encode(moving(0, 96))
