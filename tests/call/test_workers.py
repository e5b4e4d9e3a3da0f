"""Threads around two sessions, in real time for a few seconds; the networks are none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewire.call.config import CallConfig
from facewire.call.pack import Datagram
from facewire.call.session import CallSession
from facewire.call.workers import CallWorkers
from facewire.codec.control import State
from facewire.codec.errors import ConfigError
from facewire.codec.packet import Kind
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput
from facewire.receiver.tracks.pictures import DuePicture
from facewire.sender.encoder import Encoder

from .sides import BLOCK, NoGenerator, SwayingFace, picture, voice


def workers(card: Path, *, reliable: bool = False) -> CallWorkers:
    config = CallConfig(kbps=40, reliable=reliable)
    encoder = Encoder(
        replace(config.encoder, model=str(card), crop=False), fps=config.fps, tracker=SwayingFace()
    )
    decoder = Decoder(config.decoder, generator=NoGenerator())
    return CallWorkers(CallSession(config, now=time.monotonic(), encoder=encoder, decoder=decoder))


@pytest.fixture
def pair(card: Path) -> Iterator[tuple[CallWorkers, CallWorkers]]:
    one, two = workers(card), workers(card)
    with one, two:
        yield one, two


class To:
    """The network to the other side.

    Attributes:
        reliable: datagrams that took the reliable channel.
    """

    def __init__(self, other: CallWorkers) -> None:
        self._other = other
        self.reliable: list[bytes] = []

    def __call__(self, datagrams: Sequence[bytes], *, reliably: bool = False) -> None:
        self.reliable += datagrams if reliably else ()
        for datagram in datagrams:
            self._other.receive(datagram, time.monotonic())


def talk(one: CallWorkers, two: CallWorkers, until: Callable[[], bool], most: float = 60.0) -> None:
    """Camera, microphone and loudspeaker of both, at their own pace, until something is so."""
    began, frame = time.monotonic(), picture()
    turn = 0
    while not until():
        now = time.monotonic()
        assert now - began < most, (one.statistics, two.statistics, one.failure, two.failure)
        for side in (one, two):
            side.hear(voice(turn * BLOCK, BLOCK), now)
            side.sound(BLOCK, now)
            if turn % 2 == 0:
                side.see(frame, now)
        turn += 1
        time.sleep(0.02)


def test_pictures_and_sound_go_both_ways(pair: tuple[CallWorkers, CallWorkers]) -> None:
    one, two = pair
    one.start(To(two))
    two.start(To(one))
    talk(one, two, lambda: min(s.statistics.shown for s in pair) > 20)
    for side in pair:
        output = side.picture(time.monotonic())
        assert output is not None
        assert output.frame.shape == (256, 256, 3)
        playout = side.session.playback.playout.statistics
        assert playout.played > playout.silent
        assert side.failure is None


def test_a_picture_is_made_before_its_time(pair: tuple[CallWorkers, CallWorkers]) -> None:
    """Otherwise it would be seen later than its sound is heard."""
    one, two = pair
    asked: list[tuple[float, float]] = []
    choose, render = two.session.choose, two.session.render

    def chosen(now: float, ahead_s: float = 0.0) -> DuePicture | None:
        asked.append((now, ahead_s))
        return choose(now, ahead_s)

    def slow(due: DuePicture) -> PictureOutput | None:
        time.sleep(0.06)
        return render(due)

    two.session.choose, two.session.render = chosen, slow  # type: ignore[method-assign]
    one.start(To(two))
    two.start(To(one))
    talk(one, two, lambda: two.statistics.shown > 10)
    assert asked[0][1] == 0.0, "nothing is known before the first picture"
    assert 0.06 <= asked[-1][1] <= 0.2


def test_the_first_keyframe_takes_the_reliable_channel(card: Path) -> None:
    with workers(card, reliable=True) as one, workers(card, reliable=True) as two:
        there, back = To(two), To(one)
        one.start(there)
        two.start(back)
        talk(one, two, lambda: min(s.statistics.shown for s in (one, two)) > 0)
        for way in (there, back):
            packets = [p for data in way.reliable for p in Datagram.parse(data).packets]
            assert {Kind.STREAM, Kind.KEYFRAME} == {packet.kind for packet in packets}


def test_state_and_goodbye_reach_the_other_side(pair: tuple[CallWorkers, CallWorkers]) -> None:
    one, two = pair
    one.start(To(two))
    two.start(To(one))
    one.state = State.MUTED
    talk(one, two, lambda: two.peer_state == State.MUTED)
    one.leave(time.monotonic())
    began = time.monotonic()
    while State.LEAVING not in (two.peer_state or State.PRESENT):
        assert time.monotonic() - began < 30
        time.sleep(0.01)


def test_goodbyes_do_not_leave_all_at_once(pair: tuple[CallWorkers, CallWorkers]) -> None:
    """A queue that is full would lose all of them."""
    times: list[float] = []
    one, _ = pair
    one.start(lambda datagrams, reliably=False: times.append(time.monotonic()))
    before = len(times)
    one.leave(time.monotonic())
    assert len(times) - before >= 3
    assert np.diff(times[-3:]).min() > 0.05


def test_nothing_that_comes_from_outside_waits(pair: tuple[CallWorkers, CallWorkers]) -> None:
    """A tracker that takes for ever holds up neither sound nor the caller."""
    one, two = pair
    held = threading.Event()
    look = one.session.outgoing.encoder.look
    one.session.outgoing.encoder.look = (  # type: ignore[method-assign]
        lambda frame, now: look(frame, now) if held.wait(60) else None
    )
    one.start(To(two))
    two.start(To(one))
    try:
        talk(one, two, lambda: two.session.playback.playout.statistics.played > 16_000)
        talk(one, two, lambda: one.statistics.left_out > 3)
        assert two.session.playback.playout.statistics.silent < 16_000 * 60
        heard = two.session.playback.position(time.monotonic())
        assert heard is not None
    finally:
        held.set()


def test_a_thread_that_fails_is_told(pair: tuple[CallWorkers, CallWorkers]) -> None:
    one, two = pair

    def broken(datagrams: Sequence[bytes], *, reliably: bool = False) -> None:
        raise ValueError("broken")

    one.start(broken)
    two.start(To(one))
    talk(one, two, lambda: one.failure is not None)
    assert str(one.failure) == "broken"


@pytest.mark.parametrize("started", [False, True])
def test_it_can_be_closed_at_any_time(card: Path, started: bool) -> None:
    """Its threads end, what it used is freed, and what still comes changes nothing."""
    before, side = threading.active_count(), workers(card)
    sent: list[bytes] = []

    def keep(datagrams: Sequence[bytes], *, reliably: bool = False) -> None:
        sent.extend(datagrams)

    if started:
        side.start(keep)
        assert threading.active_count() == before + 5
        side.see(picture(), time.monotonic())
    side.close()
    side.close()
    assert threading.active_count() == before
    assert side.failure is None
    number = len(sent)
    side.see(picture(), time.monotonic())
    side.hear(voice(0, BLOCK), time.monotonic())
    side.receive(b"datagram", time.monotonic())
    side.leave(time.monotonic() + 1)
    assert len(sent) == number
    with pytest.raises(ConfigError, match="over"):
        side.session.send(time.monotonic())
