"""A decoder that is given the time: what it waits for, how long, and what it does about faults."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.codec.packet import Flags, Kind, Packet
from facewire.codec.sound.opus import OpusEncoder
from facewire.codec.stream import AudioParameters
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput, SoundOutput

from .clocked import Timed, arriving, feed, numbered, pictures

START = 100.0


def one_keyframe(synthetic: Any, frames: int, **settings: Any) -> list[Packet]:
    packets: list[Packet] = synthetic(frames=frames, keyframe_every=10**6, **settings).packets()
    return packets


def waits(dues: list[tuple[float, Any]]) -> dict[Fraction, float]:
    """How long after its own time each picture is due."""
    return {due.pts: now - START - float(due.pts) for now, due in pictures(dues)}


def test_a_whole_stream_is_the_same_with_and_without_a_clock(
    synthetic: Any, generator: Any
) -> None:
    packets = one_keyframe(synthetic, 50)
    plain, clocked = Decoder(generator=generator), Decoder(generator=generator)
    without = [due for p in packets for due in plain.take(p)] + plain.take_rest()
    dues = [due for _, due in feed(clocked, arriving(packets))] + clocked.take_rest()
    assert [due.pts for due in dues] == [due.pts for due in without]
    assert clocked.statistics == plain.statistics


def test_a_lost_motion_packet_does_not_hold_the_sound(synthetic: Any, generator: Any) -> None:
    packets = one_keyframe(synthetic, 50)
    lost = [p for p in packets if not (p.kind == Kind.MOTION and p.pts % 10 == 5)]
    decoder = Decoder(generator=generator)
    dues = feed(decoder, arriving(lost))
    heard = {due.pts: now for now, due in dues if isinstance(due, SoundOutput)}
    whole = feed(Decoder(generator=generator), arriving(packets))
    expected = {due.pts: now for now, due in whole if isinstance(due, SoundOutput)}
    # A packet of sound that shares its moment with lost motion arrives with the frame before.
    assert all(now <= expected[pts] for pts, now in heard.items())
    assert len(heard) == len(expected)
    assert max(waits(dues).values()) <= max(waits(whole).values()) + 0.1
    assert decoder.statistics.concealed == 5


def test_a_lost_sound_packet_is_waited_for_a_moment_only(synthetic: Any, generator: Any) -> None:
    packets = one_keyframe(synthetic, 50)
    audio = [p for p in packets if p.kind == Kind.AUDIO]
    packets.remove(audio[20])
    timed = arriving(packets)
    came = next(now for now, p in timed if p is audio[21])
    dues = feed(Decoder(DecoderConfig(reorder_ms=60), generator), timed)
    made_up = next((now, due) for now, due in dues if due.concealed)
    assert isinstance(made_up[1], SoundOutput)
    assert 0.06 <= made_up[0] - came <= 0.06 + 0.021


def test_packets_of_an_unknown_kind_stall_nothing(synthetic: Any, generator: Any) -> None:
    packets = one_keyframe(synthetic, 50)
    mixed: list[Timed] = []
    for number, (now, packet) in enumerate(arriving(packets)):
        assert isinstance(packet, Packet)
        unknown = bytes([15, 0]) + (2 * number).to_bytes(2, "little") + bytes(8)
        mixed += [(now, unknown), (now, replace(packet, sequence=2 * number + 1))]
    decoder = Decoder(generator=generator)
    known = feed(Decoder(generator=generator), arriving(packets))
    dues = feed(decoder, mixed)
    assert [(now, due.pts) for now, due in dues] == [(now, due.pts) for now, due in known]
    assert decoder.statistics.lost == 0
    plain = Decoder(generator=generator)
    whole = [o for _, p in mixed for o in plain.take(p)] + plain.take_rest()
    assert len(whole) == len(known) + len(whole[len(known) :])
    assert plain.statistics.lost == 0


def restarted(synthetic: Any, first: int, second: int) -> tuple[list[Packet], list[Packet]]:
    """Two streams of one sender, that begin at number 0 and time 0."""
    return one_keyframe(synthetic, first), one_keyframe(synthetic, second)


def with_session(packets: list[Packet], header: Any, session: int) -> list[Packet]:
    payload = replace(header, session=session).to_payload()
    return [replace(p, payload=payload) if p.kind == Kind.STREAM else p for p in packets]


@pytest.mark.parametrize("sessions", [False, True])
@pytest.mark.parametrize("first", [20, 100, 250])
def test_a_restarted_sender_is_followed(
    sessions: bool, first: int, synthetic: Any, generator: Any
) -> None:
    old, new = restarted(synthetic, first, 250)
    if sessions:
        header = synthetic().header()
        old, new = with_session(old, header, 7), with_session(new, header, 8)
    begin = START + first / 25 + 1
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(old, START))
    dues = pictures(feed(decoder, arriving(new, begin)))
    assert min(now for now, due in dues if due.pts == 0) - begin < 0.6
    fresh = {due.pts for _, due in dues if due.rendering is not None and not due.concealed}
    assert len(fresh) >= 240
    assert decoder.statistics.streams == 2
    assert not decoder.statistics.wants_keyframe


def test_a_restarted_sender_is_followed_without_a_clock(synthetic: Any, generator: Any) -> None:
    """The fault of issue 15: 0 of 250 frames were shown."""
    old, new = restarted(synthetic, 250, 250)
    decoder = Decoder(generator=generator)
    for packet in old:
        decoder.decode(packet)
    decoder.flush()
    outputs = [o for packet in new for o in decoder.decode(packet)] + decoder.flush()
    assert sum(isinstance(o, PictureOutput) and not o.concealed for o in outputs) >= 249
    assert decoder.statistics.streams == 2


def test_copies_of_the_old_stream_packet_do_not_switch_back(synthetic: Any, generator: Any) -> None:
    header = synthetic().header()
    old, new = restarted(synthetic, 100, 150)
    old, new = with_session(old, header, 7), with_session(new, header, 8)
    timed = arriving(new, START + 10)
    copies = [(START + 10.3 + n / 2, old[0]) for n in range(11)]
    decoder = Decoder(generator=generator)
    feed(decoder, arriving(old))
    dues = feed(decoder, sorted([*timed, *copies], key=lambda pair: pair[0]))
    assert decoder.header == replace(header, session=8)
    assert decoder.statistics.streams == 2
    assert decoder.statistics.ignored_streams == 11
    assert len(pictures(dues)) >= 140


def test_streams_change_once_a_second_by_the_clock(synthetic: Any, generator: Any) -> None:
    header = synthetic(sound=False).header()
    decoder = Decoder(generator=generator)
    for number in range(300):  # ten a second, no packet of sound or motion
        packet = replace(header, session=1 + number).to_packet(number)
        decoder.take(packet, START + number / 10)
    assert decoder.statistics.streams in (30, 31)


@pytest.mark.parametrize("clock", [False, True])
def test_stray_packets_do_not_freeze_a_stream(clock: bool, synthetic: Any, generator: Any) -> None:
    """The fault of issue 15: 97 of 1000 frames were shown."""
    packets = one_keyframe(synthetic, 300, sound=False)
    timed = arriving(packets)
    for n in range(9):
        now, packet = timed[100 + 2 * n]
        assert isinstance(packet, Packet)
        stray = replace(packet, sequence=packet.sequence + 2900, payload=b"")
        timed.insert(101 + 2 * n, (now, bytes(stray)))
    decoder = Decoder(generator=generator)
    if clock:
        dues = [due for _, due in feed(decoder, timed)]
    else:
        dues = [due for _, packet in timed for due in decoder.take(packet)]
    assert sum(due.pts >= 0 and not due.concealed for due in dues) == 300
    assert decoder.statistics.stray == 9


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize("far", [1 << 40, 12_345, 40_000, -(1 << 30)])
@pytest.mark.parametrize("known", [False, True])
def test_a_keyframe_with_a_far_time_does_not_freeze_pictures(
    clock: bool, far: int, known: bool, synthetic: Any, generator: Any
) -> None:
    """The fault of issue 15: 101 of 300 frames were shown."""
    stream = synthetic(frames=300, keyframe_every=10**6)
    packets = stream.packets()
    keyframe = replace(stream.keyframe(0, 0), id=0 if known else 5, pts=100 + far)
    at = next(n for n, p in enumerate(packets) if p.kind == Kind.MOTION and p.pts == 100)
    packets = numbered([*packets[:at], *keyframe.to_packets(0), *packets[at:]])
    decoder = Decoder(generator=generator)
    if clock:
        dues = [due for _, due in feed(decoder, arriving(packets))] + decoder.take_rest()
    else:
        dues = [due for p in packets for due in decoder.take(p)] + decoder.take_rest()
    shown = [due.pts for due in dues if not isinstance(due, SoundOutput)]
    assert shown == [Fraction(n, 25) for n in range(300)]
    heard = [due.pts for due in dues if isinstance(due, SoundOutput)]
    assert heard == [Fraction(n, 25) for n in range(300)]


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize("kind", [Kind.MOTION, Kind.AUDIO])
@pytest.mark.parametrize("forward", [60, 5000, 30_000])
@pytest.mark.parametrize("count", [1, 2])
def test_forged_times_do_not_freeze_a_stream(
    clock: bool, kind: Kind, forward: int, count: int, synthetic: Any, generator: Any
) -> None:
    packets = one_keyframe(synthetic, 200)
    at = [n for n, p in enumerate(packets) if p.kind == kind][100 : 100 + count]
    timed = [
        (now, replace(p, pts=p.pts + forward) if n in at and isinstance(p, Packet) else p)
        for n, (now, p) in enumerate(arriving(packets))
    ]
    decoder = Decoder(generator=generator)
    if clock:
        dues = [due for _, due in feed(decoder, timed)] + decoder.take_rest()
    else:
        dues = [due for _, p in timed for due in decoder.take(p)] + decoder.take_rest()
    times = {due.pts for due in dues if isinstance(due, SoundOutput) == (kind == Kind.AUDIO)}
    assert len({Fraction(n, 25) for n in range(200)} - times) <= count + 2


def muted(synthetic: Any, minutes: int, sound_ms: int) -> list[Timed]:
    """Two seconds of talk, minutes with one frame a second and no sound, two seconds of talk."""
    first = one_keyframe(synthetic, 50, sound_ms=sound_ms)
    begin = 25 * 60 * minutes + 50
    last = one_keyframe(synthetic, 50, sound_ms=sound_ms, first_pts=begin)
    talk = [p for p in last if p.kind in (Kind.MOTION, Kind.AUDIO)]
    motion = next(p for p in first if p.kind == Kind.MOTION)
    still = [replace(motion, pts=pts % 65536) for pts in range(75, begin, 25)]
    packets = numbered([*first, *still, *talk])
    timed: list[Timed] = []
    now, pts = START, 0
    for packet in packets:
        if packet.kind == Kind.MOTION:
            pts += (packet.pts - pts) % 65536
            now = START + pts / 25
        timed.append((now, packet))
    return timed


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize(("minutes", "sound_ms"), [(22, 40), (22, 20), (44, 40), (100, 20)])
def test_minutes_of_mute_change_nothing(
    clock: bool, minutes: int, sound_ms: int, synthetic: Any, generator: Any
) -> None:
    """The fault of issue 15: sound was 43 minutes ahead after 22 minutes of mute."""
    timed = muted(synthetic, minutes, sound_ms)
    decoder = Decoder(generator=generator)
    if clock:
        dues = [due for now, packet in timed for due in decoder.take(packet, now)]
    else:
        dues = [due for _, packet in timed for due in decoder.take(packet)]
    dues += decoder.take_rest()
    end = 60 * minutes + 4
    heard = [due.pts for due in dues if isinstance(due, SoundOutput)]
    shown = [due.pts for due in dues if not isinstance(due, SoundOutput)]
    assert end - 2 <= min(pts for pts in heard if pts > 60) <= end - 1.9
    assert max(heard) == end - Fraction(sound_ms, 1000)
    assert max(shown) == end - Fraction(1, 25)
    assert decoder.statistics.late == 0


@pytest.mark.parametrize("minutes", [22, 44, 100])
def test_minutes_without_camera_and_sound_change_nothing(
    minutes: int, synthetic: Any, generator: Any
) -> None:
    timed = muted(synthetic, minutes, 40)
    packets = [p for _, p in timed if isinstance(p, Packet)]
    talk = [pair for pair in timed if pair[0] < START + 2 or pair[0] >= START + 60 * minutes + 2]
    assert len(talk) < len(packets) - 60
    talk = [
        (now, replace(p, sequence=n % 65536) if isinstance(p, Packet) else p)
        for n, (now, p) in enumerate(talk)
    ]
    decoder = Decoder(generator=generator)
    dues = [due for now, packet in talk for due in decoder.take(packet, now)]
    dues += decoder.take_rest()
    late = [due.pts for due in dues if due.pts > 10]
    assert min(late) >= 60 * minutes + 2
    assert max(late) == 60 * minutes + 4 - Fraction(1, 25)
    assert sum(not isinstance(due, SoundOutput) for due in dues) == 100


def test_mute_holds_frames_once_and_not_each_of_them(synthetic: Any, generator: Any) -> None:
    packets = one_keyframe(synthetic, 200)
    muted_from = 50
    kept = [
        p for p in packets if not (p.kind == Kind.AUDIO and muted_from <= p.pts < muted_from + 100)
    ]
    decoder = Decoder(DecoderConfig(max_wait_ms=400), generator)
    waited = waits(feed(decoder, arriving(numbered(kept)), START + 9))
    assert len(waited) == 200
    assert max(waited.values()) <= 0.4 + 0.021
    begun = Fraction(muted_from, 25) + Fraction(1, 2)
    end = Fraction(muted_from + 95, 25)
    assert max(wait for pts, wait in waited.items() if begun <= pts < end) < 0.021
    usual = [wait for pts, wait in waited.items() if pts < 1 or 160 < 25 * pts < 190]
    assert max(usual) <= 0.2  # they wait for their sound again


def test_sound_that_never_came_is_waited_for_once(synthetic: Any, generator: Any) -> None:
    packets = [p for p in one_keyframe(synthetic, 50) if p.kind != Kind.AUDIO]
    waited = waits(feed(Decoder(generator=generator), arriving(numbered(packets)), START + 3))
    assert len(waited) == 50
    assert max(waited.values()) <= 0.421
    assert max(wait for pts, wait in waited.items() if pts > Fraction(1, 2)) < 0.021


def ticks_of_20(synthetic: Any, lengths: list[int], make_speech: Any) -> list[Timed]:
    """A stream whose packets of sound last the given milliseconds, in ticks of 20 ms."""
    frames = sum(lengths) // 40
    silent = one_keyframe(synthetic, frames, sound=False)
    header = replace(synthetic().header(), audio=AudioParameters(frame_ms=20), session=9)
    timed = [
        (now, header.to_packet(0) if isinstance(p, Packet) and p.kind == Kind.STREAM else p)
        for now, p in arriving(silent)
    ]
    pcm, at = make_speech(sum(lengths) / 1000 + 1), 0
    coders = {length: OpusEncoder(10000, length) for length in set(lengths)}
    for length in lengths:
        coder = coders[length]
        coder.reset()
        payload = coder.encode(pcm[at * 16 : (at + length) * 16 + coder.delay])[0]
        packet = Packet(Kind.AUDIO, Flags.SYNTHETIC, 0, 0, at // 20 % 65536, payload)
        at += length
        timed.append((START + at / 1000, packet))
    timed.sort(key=lambda pair: pair[0])
    whole = [p for _, p in timed if isinstance(p, Packet)]
    return [(now, p) for (now, _), p in zip(timed, numbered(whole), strict=True)]


def test_packets_of_several_ticks(synthetic: Any, generator: Any, make_speech: Any) -> None:
    lengths = [20, 40, 60, 120, 80, 20, 120, 120, 40, 60] * 2 + [40, 40, 40]
    timed = ticks_of_20(synthetic, lengths, make_speech)
    decoder = Decoder(generator=generator)
    dues = [due for _, due in feed(decoder, timed)] + decoder.take_rest()
    sounds = [due for due in dues if isinstance(due, SoundOutput)]
    starts = [Fraction(sum(lengths[:n]), 1000) for n in range(len(lengths))]
    assert [due.pts for due in sounds] == starts
    assert [len(due.pcm) for due in sounds] == [16 * length for length in lengths]
    assert not any(due.concealed for due in sounds)
    assert len(pictures((0.0, due) for due in dues)) == sum(lengths) // 40


@pytest.mark.parametrize("clock", [False, True])
def test_a_lost_packet_of_several_ticks_is_made_up(
    clock: bool, synthetic: Any, generator: Any, make_speech: Any
) -> None:
    lengths = [120, 60, 120, 40, 60] * 4
    timed = ticks_of_20(synthetic, lengths, make_speech)
    audio = [pair for pair in timed if isinstance(pair[1], Packet) and pair[1].kind == Kind.AUDIO]
    timed.remove(audio[7])
    decoder = Decoder(generator=generator)
    if clock:
        dues = [due for _, due in feed(decoder, timed, START + 9)]
    else:
        dues = [due for _, packet in timed for due in decoder.take(packet)] + decoder.take_rest()
    sounds = [due for due in dues if isinstance(due, SoundOutput)]
    made_up = [due for due in sounds if due.concealed]
    assert sum(len(due.pcm) for due in made_up) == 16 * lengths[7]
    assert made_up[0].pts == Fraction(sum(lengths[:7]), 1000)
    assert sum(len(due.pcm) for due in sounds) == 16 * sum(lengths)


@pytest.mark.parametrize("clock", [False, True])
def test_silence_that_is_not_sent_is_not_lost(
    clock: bool, synthetic: Any, generator: Any, make_speech: Any
) -> None:
    """Opus's DTX: after a packet of one byte come eighteen ticks of nothing."""
    timed = ticks_of_20(synthetic, [40] * 50, make_speech)
    kept: list[Timed] = []
    for now, packet in timed:
        assert isinstance(packet, Packet)
        if packet.kind == Kind.AUDIO and packet.pts in (40, 60):
            packet = replace(packet, payload=packet.payload[:1])
        elif packet.kind == Kind.AUDIO and 40 < packet.pts < 80:
            continue
        kept.append((now, packet))
    whole = [p for _, p in kept if isinstance(p, Packet)]
    kept = [(now, p) for (now, _), p in zip(kept, numbered(whole), strict=True)]
    decoder = Decoder(generator=generator)
    if clock:
        dues = feed(decoder, kept, START + 3)
        assert max(wait for pts, wait in waits(dues).items() if pts < Fraction(9, 5)) < 0.3
        assert sum(isinstance(due, SoundOutput) for _, due in dues) == 50 - 18
    else:
        dues = [(0.0, due) for _, packet in kept for due in decoder.take(packet)]
        sounds = [due.pcm for _, due in dues if isinstance(due, SoundOutput)]
        assert len(np.concatenate(sounds)) == 50 * 640
    assert decoder.statistics.concealed_audio == 0
    assert not any(due.concealed for _, due in dues)


def test_after_an_outage_one_picture_is_rendered_a_call(synthetic: Any, generator: Any) -> None:
    """The fault of issue 15: one call rendered 254 pictures."""
    packets = one_keyframe(synthetic, 400)
    timed = [(now, p) for now, p in arriving(packets) if not START + 2 <= now < START + 12]
    decoder = Decoder(generator=generator)
    shown: dict[float, int] = {}
    for now, packet in timed:
        before = len(generator.motions)
        decoder.decode(packet, now)
        if now >= START + 12:
            assert len(generator.motions) - before <= 4
        shown[now] = len(generator.motions)
    assert shown[START + 13.0] - shown[START + 1.96] >= 20  # as if nothing had been
    assert decoder.statistics.concealed < 5


@pytest.mark.parametrize("delayed", [False, True])
def test_a_burst_after_an_outage_renders_the_newest_only(
    delayed: bool, synthetic: Any, generator: Any
) -> None:
    """All that was sent in ten seconds arrives at once."""
    packets = one_keyframe(synthetic, 400)
    timed = [
        (START + 12 if delayed and START + 2 <= now < START + 12 else now, p)
        for now, p in arriving(packets)
    ]
    decoder = Decoder(generator=generator)
    most = 0
    for now, packet in timed:
        before = len(generator.motions)
        decoder.decode(packet, now)
        most = max(most, len(generator.motions) - before)
    assert most <= (1 if delayed else 4)


def test_a_caller_that_needs_80_ms_a_picture_does_not_fall_behind(
    synthetic: Any, generator: Any
) -> None:
    packets = one_keyframe(synthetic, 500)
    decoder = Decoder(generator=generator)
    clock, lateness = START, []
    for came, packet in arriving(packets):
        clock = max(clock, came)
        before = len(generator.motions)
        outputs = decoder.decode(packet, clock)
        clock += 0.08 * (len(generator.motions) - before)
        lateness += [clock - START - float(o.pts) for o in outputs if isinstance(o, PictureOutput)]
    assert max(lateness) <= 0.12 + 0.3 + 0.3
    assert decoder.statistics.skipped > 100


def test_times_that_go_backwards_or_are_none(synthetic: Any, generator: Any) -> None:
    decoder = Decoder(generator=generator)
    packets = one_keyframe(synthetic, 30, sound=False)
    rng = np.random.default_rng(0)
    dues = [due for p in packets for due in decoder.take(p, float(rng.uniform(-50, 50)))]
    assert len(dues) == 30
    for now in (float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="finite"):
            decoder.expire(now)
