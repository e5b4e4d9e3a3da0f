"""The way back: what a decoder reports, and how often."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from facewire.codec.control import MAX_CONTROL, Control, ReferenceState, Wants
from facewire.codec.errors import FacewireError
from facewire.codec.keyframe import Keyframe
from facewire.codec.packet import Flags, Kind, Packet
from facewire.receiver.decoder import Decoder
from facewire.receiver.report_pace import ReportPace

from .clocked import Timed, arriving, feed, numbered

START = 100.0


def whole(synthetic: Any, frames: int = 50) -> list[Packet]:
    packets: list[Packet] = synthetic(frames=frames, keyframe_every=10**6, sound=False).packets()
    return packets


def state(keyframe: Keyframe) -> ReferenceState:
    return ReferenceState(keyframe.id, zlib.crc32(bytes(keyframe)))


def run(decoder: Decoder, timed: Iterable[Timed]) -> list[tuple[float, Control]]:
    """Feed a decoder; ask for feedback after each packet and each 10 ms."""
    reports: list[tuple[float, Control]] = []
    clock: float | None = None
    for now, packet in timed:
        while clock is not None and clock + 0.01 < now:
            clock += 0.01
            reports += answer(decoder, clock)
        clock = now
        decoder.take(packet, now)
        reports += answer(decoder, now)
    return reports


def answer(decoder: Decoder, now: float) -> list[tuple[float, Control]]:
    data = decoder.feedback(now)
    assert len(data) <= MAX_CONTROL
    return [(now, Control.from_payload(data))] if data else []


def test_a_report_says_what_came_and_what_is_ready(synthetic: Any, generator: Any) -> None:
    stream = synthetic(frames=50, keyframe_every=10**6, sound=False)
    packets = stream.packets()
    header = replace(stream.header(), session=77)
    packets[0] = replace(header.to_packet(0), sequence=0)
    gone = {20, 30}
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(p for n, p in enumerate(packets) if n not in gone))
    report = decoder.report()
    assert report.session == 77
    assert report.received is not None
    assert set(report.received.numbers()) == set(range(len(packets))) - gone
    assert report.decoded == 49
    assert report.references == (state(stream.keyframe(0, 0)),)
    assert report.wants == Wants.NOTHING
    assert report.missing is None
    assert Control.from_payload(report.to_payload()) == report


def test_the_map_has_the_newest_and_the_256_before(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    packets = whole(synthetic, 600)
    feed(decoder, arriving(numbered(packets, 65_300)))
    received = decoder.report().received
    assert received is not None
    newest = (65_300 + len(packets) - 1) % 65_536
    assert list(received.numbers()) == [(newest - n) % 65_536 for n in range(257)]


def test_a_reference_replaced_under_its_id_is_another_one(synthetic: Any, generator: Any) -> None:
    """The fault of issue 15: an id alone confirmed a reference that never came."""
    stream = synthetic(frames=10, keyframe_every=10**6, sound=False)
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(stream.packets()))
    before = decoder.report().references
    other = replace(stream.keyframe(1, 10), id=0)
    for packet in other.to_packets(100):
        decoder.take(packet, START + 1)
    assert before == (state(stream.keyframe(0, 0)),)
    assert decoder.report().references == (state(other),)
    assert decoder.references == (0,)


def fragments(synthetic: Any, part: int = 100) -> tuple[Decoder, Any, Keyframe, list[Packet]]:
    stream = synthetic(frames=10, keyframe_every=10**6, sound=False)
    keyframe = stream.keyframe(1, 5)
    packets = stream.packets()
    return Decoder(), packets, keyframe, keyframe.to_packets(len(packets), part=part)


def test_missing_fragments_are_named_after_a_moment_and_five_times_a_second(
    synthetic: Any, generator: Any
) -> None:
    _, packets, keyframe, parts = fragments(synthetic)
    assert len(parts) >= 10
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(packets, START))
    late = [(START + 1, p) for n, p in enumerate(parts[:-1]) if n not in (2, 5)]
    reports = run(decoder, [*late, (START + 1.9, packets[-1])])
    named = [(now, r.missing) for now, r in reports if r.missing is not None]
    assert 0.06 <= named[0][0] - (START + 1) <= 0.08
    crc = state(keyframe).crc
    assert all((m.id, m.crc, m.fragments) == (1, crc, (2, 5)) for _, m in named)
    assert 4 <= len(named) <= 5
    assert all(b - a >= 0.199 for (a, _), (b, _) in pairwise(named))
    # After a second of nothing, the end is missing too.
    reports = run(decoder, [(START + 2.01, packets[-1]), (START + 3, packets[-1])])
    assert any(r.missing.fragments == (2, 5, len(parts) - 1) for _, r in reports if r.missing)
    for n in (2, 5, len(parts) - 1):
        decoder.take(replace(parts[n], sequence=500 + n), START + 3)
    assert decoder.report().missing is None
    assert state(keyframe) in (decoder.report().references or ())


def test_a_keyframe_that_is_never_completed_is_given_up(synthetic: Any, generator: Any) -> None:
    _, packets, _, parts = fragments(synthetic)
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(packets, START))
    decoder.take(parts[3], START + 1)
    reports = run(decoder, [(START + 1, packets[-1]), (START + 60, packets[-1])])
    named = [now for now, r in reports if r.missing is not None]
    assert 40 <= len(named) <= 50
    assert max(named) <= START + 11.1


def test_wishes(synthetic: Any, generator: Any) -> None:
    packets = whole(synthetic)
    decoder = Decoder(generator=generator)
    assert decoder.report().wants == Wants.NOTHING
    assert decoder.feedback(START) == b""
    decoder.take(packets[-1], START)
    assert decoder.report().wants == Wants.STREAM | Wants.KEYFRAME  # motion, and nothing for it
    assert decoder.report().session == 0
    decoder.take(packets[0], START)
    assert decoder.report().wants == Wants.KEYFRAME
    for packet in packets[1:10]:
        decoder.take(packet, START)
    assert decoder.report().wants == Wants.NOTHING


def test_a_sender_that_counts_anew_is_asked_for_its_stream(synthetic: Any, generator: Any) -> None:
    packets = whole(synthetic)
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(packets))
    motion = [p for p in packets if p.kind == Kind.MOTION]
    feed(decoder, arriving(numbered(motion, 30_000), START + 10))
    assert decoder.report().wants == Wants.STREAM
    decoder.take(packets[0], START + 20)
    assert decoder.report().wants == Wants.NOTHING


def test_a_stream_that_cannot_be_played_is_not_asked_for_again(synthetic: Any) -> None:
    decoder = Decoder()
    with pytest.raises(FacewireError):
        decoder.take(synthetic(model="dream-1").header().to_packet(0), START)
    assert decoder.report().wants == Wants.NOTHING


def test_reports_are_ten_a_second_and_new_wishes_go_at_once(synthetic: Any, generator: Any) -> None:
    packets = whole(synthetic, 250)
    timed = arriving(packets)
    decoder = Decoder(generator=generator)
    reports = run(decoder, timed)
    assert 60 <= len(reports) <= 105
    lost = replace(packets[-1], reference=9, sequence=len(packets), pts=250)
    at = START + 10.03
    decoder.take(lost, at)
    (found,) = answer(decoder, at)
    assert found[1].wants == Wants.KEYFRAME
    again = [now for n in range(1, 100) for now, _ in answer(decoder, at + n / 100)]
    assert 4 <= len(again) <= 5  # repeated although nothing comes


def test_nothing_is_reported_when_nothing_comes(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(whole(synthetic)))
    assert answer(decoder, START + 5)
    assert not any(answer(decoder, START + 5 + n / 10) for n in range(1, 100))


def test_hostile_packets_cause_few_reports(synthetic: Any, generator: Any) -> None:
    """Random packets for ten seconds, five hundred a second: at most 20 reports a second."""
    rng = np.random.default_rng(1)
    decoder = Decoder(generator=generator)
    reports = run(decoder, arriving(whole(synthetic, 10)))
    for n in range(5000):
        now = START + 1 + n / 500
        packet = Packet(
            Kind(int(rng.integers(1, 8))),
            Flags(int(rng.integers(4))),
            int(rng.integers(16)),
            int(rng.integers(65_536)),
            int(rng.integers(65_536)),
            bytes([*rng.integers(0, 70, 2), *rng.integers(0, 256, 60)]),
        )
        try:
            decoder.take(packet, now)
        except FacewireError:
            continue
        reports += answer(decoder, now)
    times = [now for now, _ in reports]
    assert len(times) >= 90
    assert all(later - now >= 1 for now, later in zip(times, times[20:], strict=False))
    assert decoder.waiting < 600


def test_pace_of_reports_holds_for_wishes_that_come_and_go() -> None:
    pace = ReportPace()
    sent = []
    for n in range(1000):
        now, wants = 5 + n / 100, Wants.KEYFRAME if n % 2 else Wants.NOTHING
        if pace.is_due(now, n, wants, urgent=False):
            sent.append(now)
    assert 100 <= len(sent) <= 201
