"""The base layer in a call: it takes what the rate has to spare, and comes through losses."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facewire.call.base_queue import BaseQueue
from facewire.call.config import CallConfig
from facewire.call.simulated import LineConditions
from facewire.codec.packet import Flags, Kind, Packet
from facewire.sender.config import EncoderConfig
from tests.codec.picture.able import codes_chains

from .sides import Call, Frame, picture

KBPS = 64.0


def layered(number: int, chain: int = 0, size: int = 100) -> Packet:
    return Packet(Kind.BASE, Flags.NONE, 0, number, 0, bytes([chain]) + bytes(size - 1))


def numbers(taken: list[tuple[float, Packet]]) -> list[int]:
    return [packet.sequence for _, packet in taken]


def filled(count: int = 3) -> BaseQueue:
    queue = BaseQueue()
    for number in range(count):
        queue.add(layered(number), 0.1 * number)
    return queue


def test_as_many_leave_as_there_is_room_for() -> None:
    queue = filled()
    assert queue.waiting == 300
    assert queue.take(0) == []
    assert numbers(queue.take(150)) == [0, 1]
    assert numbers(queue.take(1000)) == [2]
    assert queue.waiting == 0


def test_what_was_lost_leaves_again_before_all_others() -> None:
    queue = filled()
    for number in range(3):
        queue.sent(number + 7, queue.take(1))
    queue.add(layered(3), 0.3)
    queue.report([(7, 0.2), (8, None), (9, None)])
    assert numbers(queue.take(1000)) == [1, 2, 3]
    queue.report([(8, None)])  # it is known to be lost, and has left again
    assert queue.waiting == 0


def test_a_chain_is_over_when_something_comes_too_late() -> None:
    queue = filled(2)
    assert not queue.is_late(1.0)
    assert queue.is_late(1.01)
    queue.sent(0, queue.take(1000))
    assert not queue.is_late(9)
    queue.report([(0, None)])
    assert not queue.is_late(1.0)
    assert queue.is_late(1.01)


def test_another_chain_replaces_the_old_one() -> None:
    queue = filled(2)
    queue.sent(0, queue.take(1))
    queue.add(layered(5, chain=1), 0.2)
    queue.report([(0, None)])
    assert numbers(queue.take(1000)) == [5]


def test_what_is_remembered_is_limited() -> None:
    queue = BaseQueue()
    for number in range(1000):
        queue.add(layered(number), 0.0)
        queue.sent(number, queue.take(1000))
    queue.report([(number, None) for number in range(1000)])
    assert queue.waiting <= 256 * 100


class Waves:
    """Frames of something that moves all the time, so that a base layer has what to do."""

    def __init__(self) -> None:
        still = picture()
        self._frames = [np.roll(still, 3 * step, 1) for step in range(40)]

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]


def held(card: Path, *, loss: float = 0.0, can_fuse: bool = True, seconds: float = 8) -> Call:
    """A call with a base layer from the first side to the second."""
    config = CallConfig(
        kbps=KBPS, fps=Fraction(15), sound=False, encoder=EncoderConfig(base="calls")
    )
    call = Call(card, config, LineConditions(loss=loss), LineConditions(loss=loss))
    moving = Waves()

    def film() -> None:
        call.a.captured += 1
        call.a.session.see(moving[call.a.captured % len(moving)], call.a.now)

    call.a.see = film
    call.a.session.outgoing.allow_base(can_fuse)
    call.world.run(seconds)
    return call


@codes_chains
@pytest.mark.parametrize("loss", [0.0, 0.02])
def test_it_is_shown_though_datagrams_are_lost(card: Path, loss: float) -> None:
    call = held(card, loss=loss)
    sent = call.a.session.outgoing
    seen = call.b.session.incoming.decoder.statistics
    assert sent.statistics.base > 2000
    assert sent.statistics.chains_lost == 0
    assert seen.based > 0.5 * len(call.b.frames(4, 8))
    assert call.a.kbps(3, 8) < 1.05 * KBPS


@codes_chains
def test_a_peer_without_the_network_gets_none(card: Path) -> None:
    call = held(card, can_fuse=False, seconds=6)
    assert call.a.session.outgoing.statistics.base == 0
    assert call.b.session.incoming.decoder.statistics.based == 0
