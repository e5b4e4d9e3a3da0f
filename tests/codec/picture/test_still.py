from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, FacewireError, MediaError, StreamError
from facewire.codec.picture.colour import rgb_to_yuv420, yuv420_to_rgb
from facewire.codec.picture.still import (
    MAX_PICTURE,
    CodedPicture,
    StillCodec,
    decode_picture,
    encode_picture,
)

from ..makers import make_picture, psnr

STILLS = (StillCodec.AV1, StillCodec.WEBP)
CODED = {codec: encode_picture(make_picture(), codec=codec) for codec in STILLS}


def test_wire_numbers_never_change() -> None:
    assert {codec.name: int(codec) for codec in StillCodec} == {
        "AV1": 1,
        "WEBP": 2,
        "AV1_AFTER": 3,
    }


@pytest.mark.parametrize("codec", STILLS)
def test_round_trip(codec: StillCodec) -> None:
    rgb = make_picture(256)
    picture = encode_picture(rgb, codec=codec, max_bytes=6000)
    assert picture.codec == codec
    decoded = decode_picture(picture)
    assert decoded.shape == rgb.shape
    assert decoded.dtype == np.uint8
    assert psnr(rgb, decoded) > 35
    assert abs(float(decoded.mean() - rgb.astype(float).mean())) < 0.7  # same range, both ways


@pytest.mark.parametrize("codec", STILLS)
@pytest.mark.parametrize("size", [(64, 64), (66, 130), (258, 70)])
def test_other_sizes(codec: StillCodec, size: tuple[int, int]) -> None:
    rgb = make_picture(320)[: size[0], : size[1]]
    assert decode_picture(encode_picture(rgb, codec=codec)).shape == (*size, 3)


@pytest.mark.parametrize("codec", STILLS)
def test_grey_stays_grey_and_red_stays_red(codec: StillCodec) -> None:
    for colour in [(0, 0, 0), (128, 128, 128), (255, 255, 255), (220, 30, 20), (10, 60, 240)]:
        rgb = np.full((64, 64, 3), colour, np.uint8)
        decoded = decode_picture(encode_picture(rgb, codec=codec)).astype(int)
        assert np.abs(decoded - rgb).max() <= 6


def test_quarter_steps_come_closer_to_the_limit_than_whole_steps() -> None:
    """A quarter of CRF changes the bytes by one or two percent, a whole step by six."""
    rgb = make_picture(256)
    limits = range(2000, 4000, 100)
    whole = [len(encode_picture(rgb, quality=quality).data) for quality in range(1, 64)]
    coarse = [limit - max(size for size in whole if size <= limit) for limit in limits]
    fine = [limit - len(encode_picture(rgb, max_bytes=limit).data) for limit in limits]
    assert min(fine) >= 0
    assert sum(fine) < 0.7 * sum(coarse)


@pytest.mark.parametrize("max_bytes", [700, 1500, 4000])
def test_the_best_quality_that_fits(max_bytes: int) -> None:
    rgb = make_picture(256)
    picture = encode_picture(rgb, max_bytes=max_bytes)
    assert len(picture.data) <= max_bytes
    if picture.quality > 1:
        assert len(encode_picture(rgb, quality=picture.quality - 1).data) > max_bytes


def test_too_few_bytes_says_how_many_are_needed() -> None:
    with pytest.raises(ConfigError, match="at its worst AV1 needs"):
        encode_picture(make_picture(256), max_bytes=30)
    least = encode_picture(make_picture(256), max_bytes=30, smallest=True)
    assert least.data == encode_picture(make_picture(256), quality=63).data


def test_settings_that_contradict() -> None:
    with pytest.raises(ConfigError, match="either"):
        encode_picture(make_picture(), max_bytes=1000, quality=20)
    for quality in (0, 64, -3):
        with pytest.raises(ConfigError, match="best is 1"):
            encode_picture(make_picture(), quality=quality)


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3), np.float32),
        np.zeros((63, 64, 3), np.uint8),
        np.zeros((0, 0, 3), np.uint8),
        np.zeros((4320, 7680, 3), np.uint8),
    ],
)
def test_arrays_that_are_not_pictures(rgb: np.ndarray) -> None:
    with pytest.raises(MediaError):
        encode_picture(rgb)


@pytest.mark.parametrize("codec", STILLS)
def test_cut_at_every_byte(codec: StillCodec) -> None:
    data = CODED[codec].data
    for length in range(1, len(data), max(1, len(data) // 150)):
        try:
            decoded = decode_picture(CodedPicture(codec, 0, data[:length]))
        except FacewireError:
            continue
        assert decoded.shape == (64, 64, 3)


@pytest.mark.parametrize("codec", STILLS)
@settings(max_examples=60)
@given(seed=st.integers(0, 1 << 32))
def test_damaged_bytes_are_a_picture_or_an_error(codec: StillCodec, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(CODED[codec].data)
    for _ in range(int(random.integers(1, 6))):
        data[int(random.integers(len(data)))] = int(random.integers(256))
    try:
        decoded = decode_picture(CodedPicture(codec, 0, bytes(data)))
    except FacewireError:
        return
    assert decoded.size <= 3 << 20


@pytest.mark.parametrize("codec", STILLS)
def test_noise_is_a_stream_error(codec: StillCodec) -> None:
    noise = np.random.default_rng(5).bytes(500)
    for data in (noise, bytes(500), b"\xff" * 500, b"x"):
        with pytest.raises(StreamError):
            decode_picture(CodedPicture(codec, 0, data))


def with_size(data: bytes, side: int) -> bytes:
    """An AV1 picture of 256x256 whose sequence header claims another size (5.5.1)."""
    assert data[0] == 0x0A  # sequence header with a size
    bits = "".join(f"{byte:08b}" for byte in data[2 : 2 + data[1]])
    widths = bits.index("0111" * 2 + "1" * 16)  # 8 bits a side, 256 - 1 each
    assert 24 < widths < 64  # after profile, flags, operating point and level
    claim = f"{side - 1:016b}" * 2
    bits = bits[:widths] + "1111" * 2 + claim + bits[widths + 24 :]
    bits += "0" * (-len(bits) % 8)
    header = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return bytes([0x0A, len(header)]) + header + data[2 + data[1] :]


def test_a_huge_picture_is_refused() -> None:
    """An AV1 header may claim 65536x65536 pixels in a few bytes: 6 GB of planes."""
    data = encode_picture(make_picture(256), quality=50).data
    assert decode_picture(CodedPicture(StillCodec.AV1, 0, with_size(data, 256))).shape == (
        256,
        256,
        3,
    )
    for side in (1026, 4096, 65536):
        with pytest.raises(StreamError):
            decode_picture(CodedPicture(StillCodec.AV1, 0, with_size(data, side)))


@pytest.mark.parametrize("times", [2, 50])
def test_many_frames_in_one_picture(times: int) -> None:
    """Frames that say "repeat the last" take a dozen bytes each and a picture's memory."""
    for codec in STILLS:
        data = CODED[codec].data
        if codec == StillCodec.AV1:
            with pytest.raises(StreamError, match="exactly one frame"):
                decode_picture(CodedPicture(codec, 0, data * times))
        else:
            assert decode_picture(CodedPicture(codec, 0, data * times)).shape == (64, 64, 3)


def test_an_animated_webp() -> None:
    data = CODED[StillCodec.WEBP].data
    with pytest.raises(StreamError, match="simple lossy"):
        decode_picture(CodedPicture(StillCodec.WEBP, 0, data[:12] + b"VP8X" + data[16:]))


def test_picture_limits() -> None:
    for quality, data in [(256, b"x"), (-1, b"x"), (0, b""), (0, bytes(MAX_PICTURE + 1))]:
        with pytest.raises(ConfigError):
            CodedPicture(StillCodec.AV1, quality, data)


@pytest.mark.parametrize("depth", [8, 10])
def test_colour_is_exact_where_chroma_is_flat(depth: int) -> None:
    blocks = np.random.default_rng(2).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    for colour in blocks.reshape(-1, 3):
        rgb = np.broadcast_to(colour, (4, 6, 3)).astype(np.uint8)
        back = yuv420_to_rgb(*rgb_to_yuv420(rgb, depth), depth)
        assert np.abs(back.astype(int) - rgb).max() <= (2 if depth == 8 else 1)


def test_colour_against_the_matrix_of_bt601() -> None:
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[:] = (200, 100, 50)
    y, u, v = rgb_to_yuv420(rgb)
    assert y[0, 0] == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    assert u[0, 0] == round(128 + (50 - 124.2) / 1.772)
    assert v[0, 0] == round(128 + (200 - 124.2) / 1.402)
    assert [p[0, 0] for p in rgb_to_yuv420(np.full((2, 2, 3), 255, np.uint8), 10)] == [
        1023,
        512,
        512,
    ]


def test_chroma_is_interpolated_between_its_samples() -> None:
    """A step in chroma becomes the ramp 1/4, 3/4, as samples lie amid their pixels."""
    y = np.full((4, 8), 128, np.uint8)
    u = np.full((2, 4), 128, np.uint8)
    v = np.tile(np.array([128, 128, 168, 168], np.uint8), (2, 1))
    red = yuv420_to_rgb(y, u, v)[0, :, 0].astype(int) - 128
    assert red.tolist() == [0, 0, 0, 14, 42, 56, 56, 56]


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="Linux knows scheduling classes")
def test_coding_a_picture_leaves_the_callers_priority_alone() -> None:
    before = os.sched_getscheduler(0)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    encode_picture(picture, quality=40, max_bytes=None)
    assert os.sched_getscheduler(0) == before
