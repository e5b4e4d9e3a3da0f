"""Two sessions over the network in the computer: the goals of docs/call.md, with some room.

`benchmarks/call.py` measures the same for longer.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facewire.call.config import CallConfig
from facewire.call.pack import Datagram
from facewire.call.session import CallSession
from facewire.call.simulated import Clock, LineConditions
from facewire.codec.control import Control, Missing, Received, ReferenceState, State, Wants
from facewire.codec.errors import ConfigError, MediaError
from facewire.codec.keyframe import fragment_of
from facewire.codec.packet import Kind

from .sides import BLOCK, DELAY, Call, Side, percentile, voice

SLOW = CallConfig(kbps=24, fps=Fraction(10))  # ten pictures a second, to spare the test machine


def sound_age(side: Side, start: float, end: float) -> float:
    """95th percentile of how old sound is when it is heard, beyond the network."""
    return percentile([age - DELAY for at, age in side.heard if start <= at < end], 95)


def share_shown(side: Side, start: float, end: float) -> float:
    return len(side.frames(start, end)) / float(side.config.fps) / (end - start)


def test_sixteen_kilobits_all_headers_counted(card: Path) -> None:
    call = Call(card, CallConfig(kbps=16))
    call.run(12)
    a, b = call.a, call.b
    for start in (0, 2, 4, 7):
        assert a.kbps(start, start + 5) < 16 * 1.05
    assert a.kbps(6, 12) > 16 * 0.9
    assert a.session.statistics.sent_bytes == sum(size for _, size in a.sent)
    assert b.shown[0].at - b.first_arrival < 0.4
    assert sound_age(b, 3, 12) < 0.26
    ages = [one.at - one.taken - DELAY for one in b.frames(3, 12)]
    assert percentile(ages, 95) < 0.26
    assert percentile([abs(ahead) for at, ahead in b.lips if at > 3], 95) <= 0.041
    assert share_shown(b, 1, 12) > 0.97
    assert b.session.statistics.made_up == 0
    assert b.session.statistics.sound_made_up_s == 0


@pytest.mark.parametrize("missed", [3, 4])
def test_a_camera_that_misses_frames_needs_no_more_datagrams(card: Path, missed: int) -> None:
    """Motion is then in more packets, since a packet's frames are equally far apart. They still
    leave with the sound: otherwise headers would take a quarter of the rate.
    """
    call = Call(card, CallConfig(kbps=16))
    side = call.a
    for each in (call.a, call.b):
        each.speech = np.tile(voice(2000, 4000), 120)  # without a pause

    def see() -> None:
        side.captured += 1
        if side.captured % missed:
            side.session.see(side.frame, side.now)

    side.see = see
    call.run(20)
    left = [at for at, _ in side.sent if 10 <= at < 20]
    assert len(left) / 10 < 9.5
    assert len(call.b.frames(10, 20)) > 0.95 * (1 - 1 / missed) * 250
    assert percentile([abs(ahead) for at, ahead in call.b.lips if 10 <= at < 20], 95) < 0.085


def test_forty_kilobits_go_into_pictures_and_not_into_headers(card: Path) -> None:
    """Sound and motion share a datagram, whatever the camera's phase is against the microphone's,
    and what datagrams take beyond that is left out of the encoder's rate.
    """
    call = Call(card, CallConfig(kbps=40))
    call.run(12)
    a, b = call.a, call.b
    for start in (0, 3, 7):
        assert a.kbps(start, start + 5) < 40 * 1.05
    late = [at for at, _ in a.sent if at >= 5]
    assert len(late) / 7 < 1.2 * 25
    spent = a.session.outgoing.statistics
    assert spent.references > 0.2 * spent.bytes
    assert sound_age(b, 5, 12) < 0.12
    ages = [one.at - one.taken - DELAY for one in b.frames(5, 12)]
    assert percentile(ages, 95) < 0.12


@pytest.mark.slow
def test_a_stream_that_is_known_is_told_seldom(card: Path) -> None:
    call = Call(card, SLOW)
    told: list[float] = []
    send = call.there.send

    def spy(datagram: bytes) -> None:
        kinds = [packet.kind for packet in Datagram.parse(datagram).packets]
        told.extend([call.world.now] * kinds.count(Kind.STREAM))
        send(datagram)

    call.there.send = spy  # type: ignore[method-assign]
    call.run(14)
    assert told[0] < 1
    late = [at for at in told if at > 2]
    assert 2 <= len(late) <= 4  # every three seconds: somebody may join


@pytest.mark.slow
def test_ten_per_cent_of_the_datagrams_lost(card: Path) -> None:
    call = Call(card, SLOW, LineConditions(loss=0.1), LineConditions(loss=0.1), seed=2)
    call.run(25)
    b = call.b
    assert share_shown(b, 8, 25) > 0.97
    frames = b.frames(8, 25)
    assert sum(one.made_up for one in frames) < 0.1 * len(frames)
    assert b.longest_still(8, 25) < 1
    assert b.session.statistics.sound_made_up_s < 0.02 * 25
    assert call.a.session.outgoing.statistics.copies > 0


@pytest.mark.slow
def test_a_second_keyframe_comes_as_soon_as_the_first(card: Path) -> None:
    """When a lossy line made the sender begin again with another keyframe, the peer has the first
    one, and can show nothing of what is sent now.
    """
    lines = LineConditions(loss=0.1), LineConditions(loss=0.1)
    call = Call(card, SLOW, *lines, seed=2, send_s=0.02)
    call.run(4)  # 2.3 s; where the second keyframe waited for the rate, 10.6 s
    assert call.a.shown
    assert call.b.shown


def test_a_datagram_lost_now_and_then_delays_nothing_for_long(card: Path) -> None:
    """What was lost is waited for until it would be played, and that wait is not taken for a line
    that is slow.
    """
    line = LineConditions(loss=0.015)
    call = Call(card, CallConfig(kbps=24), line, LineConditions(), seed=1)
    call.run(20)
    arrivals = call.b.session.incoming.arrivals
    assert arrivals.lost > 0
    assert sound_age(call.b, 6, 20) < 0.3
    assert share_shown(call.b, 6, 20) > 0.95
    assert call.b.session.statistics.sound_made_up_s < 1.5


@pytest.mark.slow
def test_a_line_that_falls(card: Path) -> None:
    settings = LineConditions(kbps=64)
    call = Call(card, CallConfig(kbps=64, fps=Fraction(12)), settings)
    call.run(10)
    assert call.a.kbps(6, 10) > 40
    settings.kbps = 10
    call.run(3)
    waits = []
    for _ in range(40):
        call.run(0.2)
        waits.append(call.there.backlog_s)
    assert max(waits) < 0.7
    assert call.a.kbps(15, 21) > 6
    assert sound_age(call.b, 16, 21) < 1.0


def test_a_queue_that_was_there_from_the_beginning_goes(card: Path) -> None:
    """As of the packets with which a call is set up: no datagram ever finds the line empty."""
    line = LineConditions(kbps=20, queue_s=2.0, delay_s=0.05)
    config = CallConfig(kbps=64, fps=Fraction(10), reliable=True)
    call = Call(card, config, line, replace(line))
    for way in (call.there, call.back):
        way.fill(2.0)
    call.world.run(16)
    assert call.there.backlog_s < 1
    said = [age for at, age in call.b.heard if at > 12]
    assert percentile(said, 95) < 1.5


def test_an_outage_leaves_no_trace(card: Path) -> None:
    there, back = LineConditions(), LineConditions()
    call = Call(card, SLOW, there, back)
    call.run(5)
    keyframes = call.b.session.incoming.decoder.statistics.keyframes
    there.dead = back.dead = True
    call.run(10)
    assert call.b.session.statistics.peer_gone
    there.dead = back.dead = False
    call.run(4)
    assert not call.b.session.statistics.peer_gone
    assert share_shown(call.b, 16.5, 19) > 0.9
    assert sound_age(call.b, 16, 19) < sound_age(call.b, 3, 5) + 0.04
    assert call.b.session.incoming.decoder.statistics.keyframes <= keyframes + 1


@pytest.mark.slow
def test_an_outage_of_one_way_is_over_soon(card: Path) -> None:
    """The reports still come, and name nothing. One datagram is sent now and then all the same."""
    there = LineConditions()
    call = Call(card, CallConfig(kbps=24), there, LineConditions())
    call.run(5)
    there.dead = True
    call.run(10)
    there.dead = False
    call.run(3)
    sent = [at for at, _ in call.a.sent if 7 < at < 15]
    assert np.diff(sent).max() < 0.5
    back = [one.at for one in call.b.frames(10, 18) if one.at > 15]
    assert back[0] < 16.25
    assert share_shown(call.b, 16, 18) > 0.9
    assert sound_age(call.b, 16, 18) < 0.4


@pytest.mark.parametrize("who", ["the sender", "the receiver"])
def test_a_side_begins_anew(card: Path, who: str) -> None:
    call = Call(card, SLOW)
    call.run(4)
    (call.a if who == "the sender" else call.b).begin()
    call.run(5)
    assert share_shown(call.b, 5.2, 9) > 0.95
    assert share_shown(call.a, 5.2, 9) > 0.95
    assert sound_age(call.b, 5.2, 9) < 0.35
    other = call.b if who == "the sender" else call.a
    assert other.session.statistics.restarts == 1


@pytest.mark.slow
def test_muted_and_without_a_camera_and_back(card: Path) -> None:
    call = Call(card, SLOW)
    call.run(4)
    call.a.session.state = State.MUTED
    call.run(4)
    assert call.b.session.peer_state == State.MUTED
    assert share_shown(call.b, 5, 8) > 0.95  # pictures do not wait for sound that does not come
    call.a.session.state = State.CAMERA_OFF
    call.run(4)
    assert call.b.session.peer_state == State.CAMERA_OFF
    assert not call.b.frames(8.5, 12)
    assert sound_age(call.b, 9, 12) < 0.3
    call.a.session.state = State.PRESENT
    call.run(4)
    assert share_shown(call.b, 13, 16) > 0.9
    assert call.a.kbps(4, 16) < 24 * 1.05  # nothing was saved up for later


def test_somebody_who_comes_while_the_camera_is_off_hears_and_then_sees(card: Path) -> None:
    call = Call(card, SLOW)
    call.a.session.state = State.CAMERA_OFF
    call.run(3)
    call.b.begin()
    call.run(3)
    assert sound_age(call.b, 5, 6) < 0.35
    call.a.session.state = State.PRESENT
    call.run(3)
    assert share_shown(call.b, 7, 9) > 0.9


@pytest.mark.slow
def test_a_slow_screen_shows_fewer_pictures_and_never_later_ones(card: Path) -> None:
    call = Call(card, CallConfig(kbps=24), screen_s=0.08)
    call.run(12)
    frames = call.b.frames(4, 12)
    assert len(frames) / 8 == pytest.approx(12.5, abs=0.5)
    assert max(one.at - one.taken - DELAY for one in frames) < 0.4
    assert call.b.session.statistics.skipped > 0


@pytest.mark.slow
def test_clocks_that_drift(card: Path) -> None:
    clocks = Clock(100.0, ppm=3000), Clock(5000.0, ppm=-3000)  # twenty times 300 ppm
    call = Call(card, SLOW, clocks=clocks)
    call.run(30)
    early, late = sound_age(call.b, 5, 10), sound_age(call.b, 20, 30)
    assert abs(late - early) < 0.06
    # A picture stands for 0.1 s here, and may be 0.08 s late.
    assert percentile([abs(ahead) for at, ahead in call.b.lips if at > 5], 99) < 0.15


@pytest.mark.slow
def test_reordered_doubled_and_jittering(card: Path) -> None:
    settings = LineConditions(jitter_s=0.02, reorder=0.1, double=0.1)
    # Without signatures: with their bytes, this seed delays other datagrams.
    call = Call(card, SLOW, settings, seed=5)
    call.run(15)
    assert share_shown(call.b, 5, 15) > 0.9
    assert call.b.session.statistics.sound_made_up_s < 0.15
    assert call.b.session.statistics.restarts == 0


RELIABLE = CallConfig(kbps=24, fps=Fraction(10), reliable=True)


def keyframes(datagrams: list[bytes]) -> Counter[tuple[int, int]]:
    """How often each part of a keyframe is there, by CRC-32 and index."""
    packets = [packet for data in datagrams for packet in Datagram.parse(data).packets]
    parts = [fragment_of(packet) for packet in packets if packet.kind is Kind.KEYFRAME]
    return Counter((crc, index) for index, _, crc in parts)


def recorded(side: Side) -> list[bytes]:
    """The datagrams that a side sends from now on."""
    sent: list[bytes] = []
    send = side.line.send
    side.line.send = lambda data: sent.append(data) or send(data)  # type: ignore
    return sent


def test_the_first_keyframe_goes_reliably_and_nowhere_else(card: Path) -> None:
    """Whatever is lost of the datagrams, also of what asks for a keyframe."""
    lost = LineConditions(loss=0.3)
    call = Call(card, RELIABLE, lost, lost, seed=3)
    sent = recorded(call.a)
    call.run(6)
    (message,) = call.a.messages
    first = keyframes(message)
    assert set(first.values()) == {1}
    assert not first.keys() & keyframes(sent).keys()
    assert call.b.shown[0].at < 1.5
    assert call.b.session.statistics.unproven == 0


def test_a_reliable_channel_that_delivers_nothing(card: Path) -> None:
    """As when it ended with its connection: the next keyframe takes the datagrams."""
    call = Call(card, RELIABLE)
    call.a.channel = math.inf
    sent = recorded(call.a)
    call.run(9)
    assert len(call.a.messages) == 1
    assert keyframes(sent)
    assert call.b.shown
    assert call.b.shown[0].at > 4


def test_a_peer_that_begins_anew_gets_a_keyframe_reliably(card: Path) -> None:
    call = Call(card, RELIABLE)
    call.run(8)
    call.b.begin()
    call.run(4)
    assert len(call.a.messages) == 2
    assert share_shown(call.b, 9.5, 12) > 0.9


def session(card: Path, call: Call | None = None) -> CallSession:
    return (call or Call(card, SLOW)).a.session


def test_datagrams_of_strangers_and_noise_are_counted_and_dropped(card: Path) -> None:
    call = Call(card, SLOW)
    call.run(3)
    rng = random.Random(1)
    for _ in range(2000):
        call.b.session.receive(rng.randbytes(rng.randrange(1, 200)), call.b.now)
    forged = bytes(Datagram(session=999, number=5, sent=0, packets=()))
    call.b.session.receive(forged, call.b.now)
    statistics = call.b.session.statistics
    assert statistics.damaged + statistics.strangers >= 2000
    call.run(3)
    assert share_shown(call.b, 4, 6) > 0.9
    assert call.b.session.statistics.restarts == 0


def test_reports_that_lie_change_little(card: Path) -> None:
    call = Call(card, SLOW)
    call.run(3)
    sent = call.a.session
    number = sent.outgoing.encoder.header.session

    def lie() -> None:
        control = Control(
            session=number,
            received=Received(65535, (1 << 256) - 1),
            decoded=(1 << 32) - 5,
            references=tuple(ReferenceState(n, 7) for n in range(16)),
            wants=Wants(15),
            missing=Missing(3, 9, tuple(range(60))),
        )
        packet = control.to_packet(1)
        sent.receive(bytes(Datagram(1, 0, 0, (packet,))), call.a.now)
        call.world.at(call.world.now + 0.04, lie)

    lie()
    call.run(10)
    assert call.a.kbps(4, 13) < 24 * 1.1
    assert call.b.frames(6, 13)


def test_times_that_go_backwards_are_held(card: Path) -> None:
    one = session(card)
    one.send(200.0)
    one.send(150.0)
    one.hear(voice(0, BLOCK), 120.0)
    assert one.next_time >= 200.0
    with pytest.raises(ConfigError, match="finite"):
        one.send(math.nan)


def test_sound_of_any_length_and_frames_of_any_size(card: Path) -> None:
    one = session(card)
    now = 100.0
    for count in (0, 1, 5, 16000, 333):
        now += 0.1
        one.hear(voice(0, count), now)
    for shape in ((256, 256, 3), (100, 100, 3), (720, 720, 3)):
        now += 0.1
        one.see(np.zeros(shape, np.uint8), now)
    with pytest.raises(MediaError):
        one.hear(np.zeros((2, 100), np.float32), now)
    with pytest.raises(ConfigError):
        one.see(np.zeros((256, 256), np.uint8), now + 0.2)
    assert one.send(now + 0.2)


def test_a_peer_that_never_answers(card: Path) -> None:
    back = LineConditions(dead=True)
    call = Call(card, SLOW, back=back)
    call.run(20)
    assert call.a.kbps(5, 20) < 24 * 1.05
    assert call.b.frames(2, 20)


def test_leaving_is_said(card: Path) -> None:
    call = Call(card, SLOW)
    call.run(2)
    for datagram in call.a.session.leave(call.a.now):
        call.b.session.receive(datagram, call.b.now)
    assert call.b.session.peer_state is not None
    assert State.LEAVING in call.b.session.peer_state


def test_a_closed_session_says_so(card: Path) -> None:
    one = session(card)
    one.close()
    one.close()
    with pytest.raises(ConfigError, match="over"):
        one.send(1000.0)


@pytest.mark.parametrize(
    "change",
    [{"kbps": 5}, {"kbps": 65}, {"fps": Fraction(0)}, {"overhead_bytes": 300}],
    ids=str,
)
def test_settings_out_of_range(change: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        CallConfig(**change)  # type: ignore[arg-type]
