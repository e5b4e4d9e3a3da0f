"""The base layer comes, goes and is lost in a moving portrait, with the networks as shipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.packet import Kind, Packet
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from tests.codec.picture.able import codes_chains

pytestmark = [pytest.mark.slow, codes_chains]

Pictures = Sequence[npt.NDArray[np.uint8]]
UP, DOWN = 20, 55  # frames at which the rate changes
LOST = range(25, 35)  # frames whose packets of the base layer are lost
AROUND = 10  # frames after a change in which the seam is looked for


@dataclass
class Shown:
    """A call of three seconds that crosses the rate from which there is a base layer, up and down
    again: what was filmed, and what is shown with it, without it, and with a part of it lost.
    """

    truth: Pictures
    whole: Pictures
    generated: Pictures
    lossy: Pictures
    based: int


@pytest.fixture(scope="module")
def shown(frames: list[npt.NDArray[np.uint8]]) -> Shown:
    sent: list[list[Packet]] = []
    with Encoder(EncoderConfig(kbps=14.0, base="calls", crop=False), sound=False) as encoder:
        for number, frame in enumerate(frames):
            if number in (UP, DOWN):
                encoder.set_rate(32.0 if number == UP else 14.0)
            sent.append(encoder.encode(frame))
        sent.append(encoder.flush())

    def pictures(lost: range) -> tuple[Pictures, int]:
        decoder = Decoder(DecoderConfig(threads=1))
        outputs = [
            out
            for number, packets in enumerate(sent)
            for packet in packets
            if packet.kind != Kind.BASE or number not in lost
            for out in decoder.decode(packet)
        ]
        outputs += decoder.flush()
        found = [out.frame for out in outputs if isinstance(out, PictureOutput)]
        assert len(found) == len(frames)
        return found, decoder.statistics.based

    whole, based = pictures(range(0))
    generated, none = pictures(range(len(sent)))
    assert none == 0
    return Shown(frames, whole, generated, pictures(LOST)[0], based)


def apart(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).mean())


def changes(pictures: Pictures, first: int, last: int) -> list[float]:
    """By how many grey levels each picture differs from the one before it."""
    return [apart(pictures[n], pictures[n - 1]) for n in range(first, last)]


def test_the_base_layer_is_nearer_to_the_truth(shown: Shown) -> None:
    assert shown.based > 15
    used = [n for n, made in enumerate(shown.whole) if not np.array_equal(made, shown.generated[n])]
    assert {*used} & {*range(UP, UP + AROUND)}
    assert {*used} & {*LOST}
    errors = [
        np.median([apart(made[n], shown.truth[n]) for n in used])
        for made in (shown.whole, shown.generated)
    ]
    assert errors[0] < 0.75 * errors[1]
    assert all(
        np.array_equal(shown.whole[n], shown.generated[n])
        for n in (*range(UP), *range(DOWN + AROUND, len(shown.truth)))
    )


@pytest.mark.parametrize("change", ["up", "down", "lost"])
def test_no_seam_is_larger_than_what_moves_anyway(shown: Shown, change: str) -> None:
    """Neither where the rate crosses, nor where the base layer is lost."""
    first = {"up": UP, "down": DOWN, "lost": LOST.start}[change]
    made = shown.lossy if change == "lost" else shown.whole
    moved = max(changes(shown.truth, 1, len(shown.truth)))
    switched = max(changes(shown.generated, first, first + AROUND))  # another reference, perhaps
    assert max(changes(made, first, first + AROUND)) <= max(moved, switched)
