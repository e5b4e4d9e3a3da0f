"""A call with a clock: times, sound, rate and reports, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.control import Control, Missing, ReferenceState, Wants
from facewire.codec.errors import ConfigError, StreamError, TruncatedError
from facewire.codec.keyframe import fragment_of
from facewire.codec.motion.profiles import motion_ticks
from facewire.codec.packet import HEADER_BYTES, Kind, Packet
from facewire.codec.sound.opus import packet_samples
from facewire.codec.stream import StreamHeader
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder

from .conftest import Box, FakeTracker
from .test_rate_kept import Turning

pytestmark = pytest.mark.usefixtures("quick_stills")

HERE: Box = (60, 60, 180, 200)
BLANK = np.full((256, 256, 3), 90, np.uint8)
FPS = 25
MS = Fraction(1, 1000)
TICK = 0.02

Sound = npt.NDArray[np.float32]


def voice(samples: int, start: int = 0) -> Sound:
    at = np.arange(start, start + samples)
    return (0.2 * np.sin(at / 9) * (1 + np.sin(at / 3000))).astype(np.float32)


class Call:
    """An encoder, its clock, and what it sent."""

    def __init__(self, card: Path, tracker: Any = None, **settings: Any) -> None:
        settings = {"kbps": 16.0, "crop": False} | settings
        config = EncoderConfig(model=str(card), **settings)
        self.tracker = tracker or FakeTracker([[HERE]])
        self.encoder = Encoder(config, fps=FPS, time_base=MS, tracker=self.tracker)
        self.now = 1000.0
        self.sent: list[tuple[float, Packet]] = []

    def step(
        self, seconds: float = 1 / FPS, *, see: bool = True, hear: bool = True
    ) -> list[Packet]:
        """Let time pass, and give the frame and the sound that belong to it."""
        self.now += seconds
        frame = None
        if see:
            frame = self.tracker.frame() if isinstance(self.tracker, Turning) else BLANK
        pcm = voice(640) if hear else None
        packets = self.encoder.encode(frame, pcm, now=self.now)
        self.sent += [(self.now, packet) for packet in packets]
        return packets

    def run(self, seconds: float, **what: bool) -> list[Packet]:
        return [p for _ in range(round(seconds * FPS)) for p in self.step(**what)]

    def feed(self, **items: Any) -> None:
        items = {"session": self.encoder.header.session} | items
        self.encoder.feed(Control(**items).to_payload(), self.now)


def size(packets: list[Packet]) -> int:
    return sum(HEADER_BYTES + len(packet.payload) for packet in packets)


def of(kind: Kind, packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if packet.kind == kind]


def kbps(packets: list[Packet], seconds: float) -> float:
    return size(packets) * 8 / seconds / 1000


# Times


def test_bundles_stay_whole_though_frames_jitter(card: Path) -> None:
    encoder = Call(card, audio_kbps=None, kbps=14.0).encoder
    rng = np.random.default_rng(1)
    packets = []
    for index in range(150):
        now = 7 + index / FPS + float(np.clip(rng.normal(0, 0.0015), -0.009, 0.009))
        packets += encoder.encode(BLANK, now=7.0 if index == 0 else now)
    motion = of(Kind.MOTION, packets)
    assert encoder.together_ms == 120
    assert len(motion) <= 51
    assert all(p.pts % 40 == 0 for p in motion)
    assert {len(motion_ticks("entropy", p.payload)) for p in motion} == {3}


def test_pts_that_jitter_are_put_on_the_grid_too(card: Path) -> None:
    encoder = Call(card, audio_kbps=None, kbps=14.0).encoder
    rng = np.random.default_rng(2)
    packets = []
    for index in range(120):
        pts = 40 * index + int(rng.integers(-3, 4)) * (index > 0)
        packets += encoder.encode(BLANK, None, pts, now=50 + index / FPS)
    assert len(of(Kind.MOTION, packets)) == 40


@pytest.mark.parametrize("fps", [15.0, 24.97, 25.03])
def test_pts_follow_the_clock_whatever_the_camera_does(card: Path, fps: float) -> None:
    encoder = Call(card, audio_kbps=None, bundle=1).encoder
    for index in range(150):
        passed = index / fps
        packets = encoder.encode(BLANK, now=3 + passed)
        (motion,) = of(Kind.MOTION, packets)
        assert abs(motion.pts / 1000 - passed) <= 0.011
    assert encoder.statistics.early == 0


def test_a_frame_that_is_late_takes_no_other_frames_place(card: Path) -> None:
    config = EncoderConfig(model=str(card), audio_kbps=None)
    encoder = Encoder(config, fps=FPS, tracker=FakeTracker([[HERE]]))
    rng = np.random.default_rng(3)
    times = [5 + (n + 0.7 * (n > 0) * float(rng.random())) / FPS for n in range(200)]
    packets = [p for now in times for p in encoder.encode(BLANK, now=now)]
    assert [p.pts for p in of(Kind.MOTION, packets)] == list(range(200))
    assert encoder.statistics.early == 0


def test_frames_that_come_too_early_are_left_out_and_counted(card: Path) -> None:
    config = EncoderConfig(model=str(card), audio_kbps=None)
    encoder = Encoder(config, fps=FPS, tracker=FakeTracker([[HERE]]))
    packets = [p for n in range(100) for p in encoder.encode(BLANK, now=5 + n / 50)]
    assert [p.pts for p in of(Kind.MOTION, packets)] == list(range(50))
    assert encoder.statistics.early == 50


def test_time_that_runs_backwards_is_held(card: Path) -> None:
    call = Call(card, bundle=1)
    call.run(1)
    call.now -= 0.01
    before = call.encoder._time.seconds
    call.encoder.encode(now=call.now)
    assert call.encoder._time.seconds == before
    call.now -= 5000  # the clock is set anew: time goes on from where it was
    packets = call.run(1)
    pts = [p.pts for p in of(Kind.MOTION, packets)]
    assert len(pts) >= 24
    assert 1000 <= pts[0] <= 1060
    assert 1900 <= pts[-1] <= 2040
    with pytest.raises(ConfigError, match="with none"):
        call.encoder.encode(BLANK)
    with pytest.raises(ConfigError, match="seconds of a clock"):
        call.encoder.encode(BLANK, now=float("nan"))


# Sound


def sounds(call: Call, pieces: Iterator[tuple[float, int]]) -> list[tuple[float, Packet]]:
    """AUDIO packets, and when they came, of pieces that are given as (time, samples)."""
    sent: list[tuple[float, Packet]] = []
    for now, samples in pieces:
        packets = call.encoder.encode(pcm=voice(samples) if samples else None, now=now)
        sent += [(now, p) for p in of(Kind.AUDIO, packets)]
    return sent


def test_packets_of_sound_last_several_ticks_of_twenty_milliseconds(card: Path) -> None:
    call = Call(card)
    sent = sounds(call, ((n * 0.02, 320) for n in range(100)))
    assert call.encoder.header.audio is not None
    assert call.encoder.header.audio.frame_ms == 20
    ticks = call.encoder.together_ms // 20
    assert ticks > 1
    assert [p.pts for _, p in sent] == [ticks * n for n in range(len(sent))]
    assert {packet_samples(p.payload) for _, p in sent} == {320 * ticks}


@pytest.mark.parametrize("ppm", [-500, 500])
def test_sound_whose_card_drifts_stays_with_the_clock(card: Path, ppm: int) -> None:
    call, rng = Call(card), np.random.default_rng(3)

    def pieces() -> Iterator[tuple[float, int]]:
        given = 0
        for n in range(3000):  # two minutes: 60 ms off, if nothing were done
            now = n * 0.04 + float(rng.uniform(0, 0.004))
            due = int(n * 640 * (1 + ppm / 1e6))
            yield now, due - given
            given = due

    full, worst = 0, 0.0
    for now, packet in sounds(call, pieces()):
        full += (packet.pts - full + 32768) % 65536 - 32768
        end = full * TICK + packet_samples(packet.payload) / 16_000
        worst = max(worst, abs(now - end - 0.0265))  # 6.5 ms ahead, and half a piece
    assert worst < 0.04


@pytest.mark.parametrize("pause", [0.3, 5.0, 1500.0])
def test_after_a_pause_sound_goes_on_in_the_right_place(card: Path, pause: float) -> None:
    call = Call(card)

    def pieces() -> Iterator[tuple[float, int]]:
        for n in range(100):
            yield n * 0.02, 320
        for n in range(round(pause / 0.1)):
            yield 2 + n * 0.1, 0
        for n in range(1, 101):
            yield 2 + pause + n * 0.02, 320

    sent = sounds(call, pieces())
    after = [(now, p) for now, p in sent if now > 2 + pause + 0.15]
    full = round((2 + pause) / TICK)
    for now, packet in after:
        full += (packet.pts - full + 32768) % 65536 - 32768
        end = full * TICK + packet_samples(packet.payload) / 16_000
        assert abs(now - end) < 0.04
    # Every gap in the numbers is announced by a packet without sound.
    ends, silent = 0, False
    for _, packet in sent:
        assert silent or packet.pts == ends % 65536
        silent = len(packet.payload) <= 2
        ends = packet.pts + packet_samples(packet.payload) // 320
    if pause > 1:
        marks = [p for _, p in sent if len(p.payload) <= 2]
        assert pause / 0.5 - 2 <= len(marks) <= pause / 0.4 + 2


@pytest.mark.parametrize("length", [1, 37, 319, 441, 5001])
def test_pieces_of_any_length(card: Path, length: int) -> None:
    call = Call(card)
    count = min(3000, 64_000 // length)
    sent = sounds(call, ((n * length / 16_000, length) for n in range(count)))
    pts = [p.pts for _, p in sent]
    ticks = call.encoder.together_ms // 20
    assert pts == [ticks * n for n in range(len(pts))]
    assert len(pts) >= int(count * length / (320 * ticks)) - 4


def test_silence_is_not_sent(card: Path) -> None:
    call = Call(card)
    rng = np.random.default_rng(4)
    packets: list[Packet] = []
    for n in range(250):
        talks = n < 50 or n >= 200
        noise = rng.normal(0, 0.0005, 640).astype(np.float32)
        pcm = noise + (voice(640, 640 * n) if talks else 0)
        packets += call.encoder.encode(pcm=pcm, now=n / FPS)
    audio = of(Kind.AUDIO, packets)
    still = [p for p in audio if 100 + 40 < p.pts < 390]
    assert {len(p.payload) for p in still} == {2}
    assert 10 <= len(still) <= 13  # of 5 s
    assert all(len(p.payload) > 20 for p in audio if p.pts < 90 or p.pts >= 402)


def test_bad_sound_and_late_pieces_leave_the_stream_whole(card: Path) -> None:
    call = Call(card)
    call.run(1)
    with pytest.raises(ValueError, match="mono"):
        call.encoder.encode(pcm=np.zeros((2, 10), np.float32), now=call.now)
    with pytest.raises(ValueError, match="finite"):
        call.encoder.encode(pcm=np.full(10, np.nan, np.float32), now=call.now)
    for _ in range(50):  # a loop that hung for a second gives everything at once
        call.encoder.encode(pcm=voice(320), now=call.now + 1)
    call.now += 1
    packets = of(Kind.AUDIO, call.run(2))
    end = packets[-1].pts * TICK + packet_samples(packets[-1].payload) / 16_000
    assert abs(call.now - 1000.04 - end) < 0.15


# The rate


@pytest.mark.parametrize("clocked", [True, False])
def test_time_without_a_face_saves_nothing(card: Path, clocked: bool) -> None:
    face = Turning()
    call = Call(card, face, kbps=20.0)
    track, call.tracker.track = face.track, lambda *_: []  # type: ignore[method-assign]
    now, empty = 0.0, 20 * FPS
    each: list[int] = []
    for n in range(empty + 10 * FPS):
        if n == empty:
            face.track = track  # type: ignore[method-assign]
        now += 1 / FPS
        frame = face.frame() if n >= empty else BLANK
        each.append(size(call.encoder.encode(frame, voice(640), now=now if clocked else None)))
    # The first keyframe is not all earned back yet; STREAM packets take 3 kbit/s with a clock.
    assert sum(each[empty:]) * 8 / 10_000 < 20 * 1.25


def test_a_camera_that_is_off_costs_nothing_later(card: Path) -> None:
    """Time that is counted by frames goes on with the sound."""
    face = Turning()
    encoder = Call(card, face, kbps=20.0).encoder
    for _ in range(2 * FPS):
        encoder.encode(face.frame(), voice(640))
    for _ in range(20 * FPS):
        encoder.encode(pcm=voice(640))
    each = [size(encoder.encode(face.frame(), voice(640))) for _ in range(10 * FPS)]
    assert sum(each) * 8 / 10_000 == pytest.approx(20, rel=0.1)


@pytest.mark.slow
def test_the_rate_can_be_changed_at_any_time(card: Path) -> None:
    call = Call(card, Turning(speed=0.04), kbps=16.0)
    call.run(8)
    joins = call.encoder._joined_pts
    lengths, steps = {}, {}
    for rate, together in ((8.0, 120), (64.0, 40), (22.0, 40), (17.0, 80), (10.0, 120), (40.0, 40)):
        call.encoder.set_rate(rate)
        assert call.encoder.together_ms == together
        call.run(1)
        packets = call.run(4)
        assert kbps(packets, 4) < 1.06 * rate + 3.2, rate  # 3 kbit/s are STREAM packets
        assert kbps(packets, 4) > 0.85 * rate, rate
        audio, motion = of(Kind.AUDIO, packets), of(Kind.MOTION, packets)
        lengths[rate] = kbps(audio, 4)
        steps[rate] = motion[-1].payload[0] >> 4
        assert {packet_samples(p.payload) // 16 for p in audio} == {together}
        together_too = [len(motion_ticks("entropy", p.payload)) for p in motion]
        assert np.mean(together_too) == pytest.approx(together / 40, rel=0.35)
    assert call.encoder._joined_pts == joins  # no keyframe at which one can join
    assert 5 < lengths[8.0] < 7
    assert lengths[8.0] < lengths[22.0] < lengths[64.0]
    assert steps[8.0] == 10 > steps[64.0] == 3
    # Whoever follows the packets hears each tick once.
    expected = None
    for _, packet in call.sent:
        if packet.kind == Kind.AUDIO:
            assert expected is None or packet.pts == expected
            expected = packet.pts + packet_samples(packet.payload) // 320


def test_rates_that_make_no_sense(card: Path) -> None:
    call = Call(card)
    for rate in (0, -1, float("nan"), 1e7):
        with pytest.raises(ConfigError):
            call.encoder.set_rate(rate)
    config = EncoderConfig(model=str(card))
    file = Encoder(config, tracker=FakeTracker([[HERE]]), duration_s=Fraction(3))
    with pytest.raises(ConfigError, match="file"):
        file.set_rate(20)


# What the receiver says


def test_a_receiver_that_asks_without_end_gets_no_more_than_the_rate(card: Path) -> None:
    call = Call(card, Turning(), kbps=20.0)
    call.run(1)
    wants = Wants.KEYFRAME | Wants.REFRESH | Wants.IDENTITY | Wants.STREAM
    packets = []
    for _ in range(12 * FPS):
        call.feed(wants=wants)
        packets += call.step()
    assert kbps(packets, 12) < 20 * 1.1
    firsts = [p for p in of(Kind.KEYFRAME, packets) if p.payload[0] == 0]
    assert 2 <= len(firsts) <= 13
    intra = [p for p in of(Kind.MOTION, packets) if p.flags & 2]
    assert len(intra) <= 12 / 0.4 + len(firsts)


def test_what_was_not_sent_cannot_be_acknowledged(card: Path) -> None:
    call = Call(card, audio_kbps=None, bundle=1)
    call.run(1)
    call.feed(decoded=100_000)
    call.feed(decoded=2**32 - 1)
    assert call.encoder._animation.stream._acknowledged is None
    call.feed(decoded=960)
    assert call.encoder._animation.stream._acknowledged == 960


def test_reports_on_another_session_are_ignored_and_counted(card: Path) -> None:
    call = Call(card)
    call.feed(wants=Wants.KEYFRAME)  # before anything was sent
    call.run(2)
    call.feed(session=call.encoder.header.session ^ 1, wants=Wants.KEYFRAME, decoded=960)
    assert call.encoder.statistics.foreign == 1
    assert not of(Kind.KEYFRAME, call.run(0.2))
    call.feed(session=0, wants=Wants.KEYFRAME)  # from a receiver that has no STREAM packet yet
    assert of(Kind.KEYFRAME, call.run(2))


def test_damaged_reports_raise(card: Path) -> None:
    call = Call(card)
    call.step()
    with pytest.raises(TruncatedError):
        call.encoder.feed(b"\x01", call.now)
    good = Control(session=1, decoded=5).to_payload()
    with pytest.raises(StreamError):
        call.encoder.feed(good + good[5:], call.now)


def test_lost_fragments_are_sent_again_by_themselves(card: Path) -> None:
    call = Call(card, Turning(), kbps=20.0)
    first = of(Kind.KEYFRAME, call.step())
    index, count, crc = fragment_of(first[1])
    assert count >= 3
    missing = Missing(first[1].reference, crc, (index, index, 63))
    call.feed(missing=missing)
    assert not of(Kind.KEYFRAME, call.step())  # it may be on its way
    call.run(0.2)
    spent = call.encoder._rate.spent
    call.feed(missing=missing)
    (again,) = of(Kind.KEYFRAME, call.step())
    assert again.payload == first[1].payload
    assert call.encoder._rate.spent - spent >= len(again.payload)
    assert call.encoder.statistics.resent == 1
    packets = []
    for _ in range(10 * FPS):
        call.feed(missing=missing)
        packets += call.step()
    assert len([p for p in packets if p.payload == first[1].payload]) == 3
    assert call.encoder.statistics.resent == 4
    call.feed(missing=Missing(first[1].reference, crc ^ 1, (0,)))
    assert call.encoder.statistics.resent == 4


def test_motion_costs_little_again_when_acknowledgements_stop(card: Path) -> None:
    call = Call(card, Turning(speed=0.04), kbps=None, audio_kbps=None, references=1)
    call.run(2)

    def bytes_each(packets: list[Packet]) -> float:
        motion = of(Kind.MOTION, packets)
        return sum(len(p.payload) for p in motion) / len(motion)

    before = bytes_each(call.run(4))
    for _ in range(4 * FPS):
        at = call.encoder._pts
        call.step()
        call.feed(decoded=at)
    call.run(4)
    after = bytes_each(call.run(4))
    assert after < 1.3 * before


def test_a_reference_is_confirmed_by_its_checksum(card: Path) -> None:
    call = Call(card, Turning(speed=0.04), kbps=30.0, audio_kbps=None)
    call.run(1)
    call.feed(references=())
    while call.encoder._animation.sent is None:
        call.step()
        assert call.now < 1060
    reference = call.encoder._animation.sent
    assert reference.state is not None
    stale = ReferenceState(reference.id, reference.state.crc ^ 1)
    call.feed(references=(stale,))
    assert call.encoder._animation.sent is reference
    call.feed(references=(stale, reference.state))
    assert call.encoder._animation.sent is None
    assert call.encoder._animation.known.holds(reference)


# The stream's parameters


def test_stream_is_repeated_until_the_receiver_names_the_session(card: Path) -> None:
    call = Call(card)
    early = of(Kind.STREAM, call.run(5))
    assert 10 <= len(early) <= 11
    call.feed()
    assert 1 <= len(of(Kind.STREAM, call.run(6))) <= 2
    call.feed(wants=Wants.STREAM)
    assert len(of(Kind.STREAM, call.run(0.5))) == 1
    header = StreamHeader.from_payload(early[-1].payload)
    assert header == call.encoder.header


@pytest.mark.parametrize("hear", [True, False])
def test_one_can_join_while_the_camera_is_off(card: Path, hear: bool) -> None:
    call = Call(card)
    packets = call.run(3, see=False, hear=hear)
    assert len(of(Kind.STREAM, packets)) >= 6
    assert bool(of(Kind.AUDIO, packets)) == hear
    packets = call.run(1)
    assert of(Kind.KEYFRAME, packets)
    motion = of(Kind.MOTION, packets)
    assert motion[0].pts == pytest.approx(3000, abs=41)
    # What waited for more frames goes out when none come.
    call.step()
    rest = of(Kind.MOTION, call.run(1, see=False))
    assert len(rest) == 1


def test_sessions_are_random_and_new_with_each_stream(card: Path) -> None:
    encoders = [Call(card).encoder for _ in range(3)]
    numbers = [encoder.header.session for encoder in encoders]
    encoders[0].reset()
    numbers.append(encoders[0].header.session)
    assert 0 not in numbers
    assert len(set(numbers)) == 4
    config = EncoderConfig(model=str(card))
    chosen = Encoder(config, tracker=FakeTracker([[]]), session=iter([5, 6]).__next__)
    assert chosen.header.session == 5
    chosen.reset()
    assert chosen.header.session == 6
    assert Encoder(config, tracker=FakeTracker([[]]), duration_s=Fraction(1)).header.session == 0


def test_flush_without_a_face_gives_the_last_sound(card: Path) -> None:
    call = Call(card, FakeTracker([[]]))
    packets = call.run(1) + call.encoder.flush()
    audio = of(Kind.AUDIO, packets)
    assert audio[-1].pts * TICK + packet_samples(audio[-1].payload) / 16_000 >= 0.96


def test_an_encoder_is_made_without_its_tracker(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_tracker(name: str, *, still: bool = False) -> FakeTracker:
        opened.append(still)
        return FakeTracker([[HERE]])

    monkeypatch.setattr("facewire.sender.tracking.trackers.open_tracker", open_tracker)
    encoder = Encoder(EncoderConfig(model=str(card)))
    encoder.encode(pcm=voice(640), now=1.0)
    assert opened == []
    encoder.prepare()
    assert opened == [False]
    encoder.encode(BLANK, now=1.04)
    assert opened == [False]
