"""Chains of frames that are known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.errors import StreamError
from facewire.codec.picture.chain import MOST_TOGETHER, ChainDecoder, ChainEncoder
from facewire.codec.picture.chain_ahead import BEST_CRF, STEPS, WORST_CRF, code_ahead
from facewire.codec.picture.coded_picture import CodedPicture
from facewire.codec.picture.coders import to_frame
from facewire.codec.picture.obus import count_frames
from facewire.codec.picture.still import Anchor, decode_picture, encode_picture

from ..makers import psnr
from .able import codes_chains

Frame = npt.NDArray[np.uint8]
COUNT = 40


def drifting(count: int = COUNT) -> list[Frame]:
    """A grey scene of 128x128 that moves by fractions of a pixel."""
    rng = np.random.default_rng(4)
    large, small = rng.integers(40, 220, (40, 40)), rng.normal(0, 12, (120, 120))
    frames = []
    for number in range(count):
        x, y = np.arange(128) + 0.75 * number, np.arange(128.0)
        scene = between(large, y / 6, x / 6) + between(small, y / 2, x / 2)
        frames.append(np.repeat(scene.clip(0, 255).astype(np.uint8)[..., None], 3, 2))
    return frames


def between(
    values: npt.NDArray[Any], y: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """A grid of numbers, linear between them."""
    rows = np.stack([np.interp(x, np.arange(values.shape[1]), row) for row in values])
    return np.stack([np.interp(y, np.arange(len(values)), column) for column in rows.T], 1)


def code(frames: list[Frame], crf: float) -> tuple[CodedPicture, list[bytes]]:
    return code_ahead([to_frame(frame, "yuv420p10le") for frame in frames], crf)


def show(still: CodedPicture, chain: list[bytes]) -> list[Frame]:
    decoder = ChainDecoder(still)
    return [decoder.decode(data) for data in chain]


@pytest.fixture(scope="module")
def coded() -> tuple[CodedPicture, list[bytes]]:
    return code(drifting(), 52)


def test_each_part_shows_one_frame(coded: tuple[CodedPicture, list[bytes]]) -> None:
    still, chain = coded
    frames = drifting()
    assert len(chain) == COUNT - 1
    assert psnr(decode_picture(still), frames[0]) > 26
    shown = show(still, chain)
    assert min(psnr(a, b) for a, b in zip(shown, frames[1:], strict=True)) > 26
    # Of another moment it would be worse: each part shows its own.
    assert psnr(shown[10], frames[11]) > psnr(shown[10], frames[14]) + 3


def test_parts_carry_frames_that_are_shown_later(coded: tuple[CodedPicture, list[bytes]]) -> None:
    counts = [count_frames(data) for data in coded[1]]
    assert 1 < max(counts) <= MOST_TOGETHER
    assert min(counts) == 1


def test_the_same_frames_give_the_same_bytes(coded: tuple[CodedPicture, list[bytes]]) -> None:
    assert code(drifting(), 52) == coded


@codes_chains
def test_it_is_better_than_frame_by_frame(coded: tuple[CodedPicture, list[bytes]]) -> None:
    """Fewer bytes, and nearer to the video."""
    frames, (still, ahead) = drifting(), coded
    anchor = Anchor(frames[0], encode_picture(frames[0], max_bytes=len(still.data)))
    with ChainEncoder(anchor, 44) as encoder:
        live = [encoder.encode(frame) for frame in frames[1:]]
    near = [
        np.mean([psnr(a, b) for a, b in zip(show(s, c), frames[1:], strict=True)])
        for s, c in ((still, ahead), (anchor.picture, live))
    ]
    assert sum(map(len, ahead)) < sum(map(len, live))
    assert near[0] > near[1]


def test_the_range_of_quality() -> None:
    """Above CRF 63, where other AV1 encoders end, it gets smaller still."""
    frames = drifting(20)
    sizes = [sum(map(len, code(frames, crf)[1])) for crf in (BEST_CRF, 40, 62.5, WORST_CRF)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == len(sizes)


def test_steps_between_two_quarters() -> None:
    frames = [to_frame(frame // 2, "yuv420p10le") for frame in drifting(20)]
    steps = [*((50.25, n) for n in range(STEPS)), (50, 0)]
    sizes = [sum(map(len, code_ahead(frames, crf, finer)[1])) for crf, finer in steps]
    assert sizes[0] <= sizes[1] <= sizes[2] <= sizes[3]
    assert sizes[0] < sizes[2]


@pytest.mark.parametrize("count", [2, 3, 17, 33])
def test_any_number_of_frames(count: int) -> None:
    still, chain = code(drifting(count), 50)
    assert len(show(still, chain)) == count - 1


def _unshown(data: bytes) -> bytes:
    """A part without the frame that it shows, which comes last: units with sizes below 2^14."""
    at = last = 0
    while at < len(data):
        last, size, at = at, data[at + 1], at + 2
        if size & 128:
            size, at = size & 127 | data[at] << 7, at + 1
        at += size
    return data[:last]


def test_a_part_of_too_many_frames_is_refused(coded: tuple[CodedPicture, list[bytes]]) -> None:
    still, chain = coded
    hidden = next(data for data in chain if count_frames(data) > 3)
    for many, problem in (
        (hidden + hidden + hidden, "shows 3 frames"),
        (_unshown(hidden) * 3 + hidden, "it may hold 1 to 8"),
        (_unshown(hidden), "shows 0 frames"),
        (b"", "shows 0 frames"),
    ):
        with pytest.raises(StreamError, match=problem):
            ChainDecoder(still).decode(many)


def test_a_part_that_is_left_out_is_noticed_or_shown_wrongly_but_never_crashes(
    coded: tuple[CodedPicture, list[bytes]],
) -> None:
    """The receiver counts the parts, so that it never gets so far (`receiver`)."""
    still, chain = coded
    for gone in (0, 3, 16):
        decoder = ChainDecoder(still)
        for number, data in enumerate(chain):
            if number == gone:
                continue
            try:
                assert decoder.decode(data).shape == (128, 128, 3)
            except StreamError:
                break
