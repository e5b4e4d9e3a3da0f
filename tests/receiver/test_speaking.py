"""Mouths that go on speaking where motion is lost, and learn from where it comes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from facewire.codec.identity import Identity, MouthHabits
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind, Packet
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.talking import speech as speech_module
from facewire.receiver.talking.speech import TheirMouth

from .clocked import Timed, feed, numbered, pictures
from .conftest import FakeGenerator, Synthetic

START = 100.0
CALL = DecoderConfig(lookahead_ms=0, max_wait_ms=0, reorder_ms=200)


class Talking:
    """A predictor that notes what it is given and asked."""

    lookahead_ms = 100

    def __init__(self) -> None:
        self.learned: list[float] = []
        self.asked: list[float] = []
        self.heard = 0.0
        self.forgotten = 0

    def reset(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.forgotten += 1

    def know(self, habits: object) -> None:
        self.known = habits

    def hear(self, pcm: np.ndarray, seconds: float) -> None:
        self.heard = seconds + len(pcm) / 16000

    def learn(self, mouth: np.ndarray, seconds: float, weight: float) -> None:
        assert seconds + 0.1 <= self.heard
        self.learned.append(seconds)

    def movement(self, seconds: float) -> np.ndarray:
        self.asked.append(seconds)
        moved = np.zeros((40, 2), np.float32)
        moved[11:20, 1] = moved[31:, 1] = 0.05 * np.sin(9 * seconds)
        return moved

    def average(self, mouth: np.ndarray) -> np.ndarray:
        return mouth


class FaceGenerator(FakeGenerator):
    """One whose face stands still."""

    def set_source(self, rgb: np.ndarray, motion: MotionFrame, points: np.ndarray) -> np.ndarray:
        self.face = points
        return super().set_source(rgb, motion, points)

    def points(self, source: object, motion: object) -> np.ndarray:
        return self.face


@pytest.fixture
def talking(monkeypatch: pytest.MonkeyPatch) -> Talking:
    predictor = Talking()
    monkeypatch.setattr(TheirMouth, "predictor", lambda _: predictor)
    monkeypatch.setattr(TheirMouth, "forget", lambda _: predictor.forget())
    return predictor


def arriving(packets: list[Packet], start: float = START) -> list[Timed]:
    """Each packet of sound and motion at its time, the others with the one before them."""
    timed: list[Timed] = []
    now = start
    for packet in packets:
        if packet.kind in (Kind.AUDIO, Kind.MOTION):
            now = max(now, start + packet.pts / 25)
        timed.append((now, packet))
    return timed


def without_motion(packets: list[Packet], first: int, last: int) -> list[Packet]:
    """The packets that are left when the motion of some frames is lost."""
    return [p for p in packets if p.kind != Kind.MOTION or not first <= p.pts < last]


def call(packets: list[Packet], until: float = 0.0) -> tuple[Decoder, list[tuple[float, float]]]:
    """A decoder after a call, and its pictures: when they came, and their times."""
    decoder = Decoder(CALL, FaceGenerator())
    dues = feed(decoder, arriving(packets), until)
    return decoder, [(now, float(due.pts)) for now, due in pictures(dues)]


def test_in_a_call_a_mouth_speaks_while_its_motion_is_missing(talking: Talking) -> None:
    packets = numbered(Synthetic(frames=75, keyframe_every=100).packets())
    decoder, seen = call(without_motion(packets, 25, 50))
    gap = [(now, pts) for now, pts in seen if 1 <= pts < 2]
    assert 23 <= len(gap) <= 25
    assert all(now - START < pts + 0.25 for now, pts in gap)  # not at the end of the gap
    shown = [round(pts * 25) for _, pts in seen]
    assert shown == [*range(25 + len(gap)), *range(50, 75)]  # each once, in order
    assert decoder.statistics.concealed == len(gap)
    assert {round(t * 25) for t in talking.asked} == {24, *shown[25 : 25 + len(gap)]}


def test_after_some_seconds_the_picture_stands(talking: Talking) -> None:
    packets = numbered(Synthetic(frames=200, keyframe_every=300).packets())
    _, seen = call(without_motion(packets, 25, 200))
    assert max(pts for _, pts in seen) == pytest.approx(24 / 25 + 4, abs=0.05)


def test_nothing_is_made_up_where_the_sender_pauses(talking: Talking) -> None:
    packets = without_motion(Synthetic(frames=75, keyframe_every=100).packets(), 25, 50)
    decoder, seen = call(numbered(packets))  # no number is missing
    assert not [pts for _, pts in seen if 1 <= pts < 2]
    assert decoder.statistics.concealed == 0


def test_nothing_is_made_up_where_the_sound_is_lost_too(talking: Talking) -> None:
    packets = numbered(Synthetic(frames=75, keyframe_every=100).packets())
    begin, end = (next(n for n, p in enumerate(packets) if p.pts == at) for at in (25, 50))
    _, seen = call(packets[:begin] + packets[end:])
    assert not [now for now, _ in seen if START + 1.1 < now < START + 1.95]


def test_motion_that_was_only_late_is_not_shown_twice(talking: Talking) -> None:
    packets = numbered(Synthetic(frames=75, keyframe_every=100).packets())
    timed = arriving(packets)
    late = [(now + 0.3 * (p.kind == Kind.MOTION and 25 <= p.pts < 35), p) for now, p in timed]
    dues = feed(Decoder(CALL, FaceGenerator()), sorted(late, key=lambda one: one[0]))
    shown = [round(due.pts * 25) for _, due in pictures(dues)]
    assert all(b > a for a, b in pairwise(shown))
    assert shown[-1] == 74


def test_a_sender_whose_times_go_back_is_shown(talking: Talking) -> None:
    first = without_motion(Synthetic(frames=60, keyframe_every=100).packets(), 25, 60)
    again = Synthetic(frames=60, keyframe_every=100).packets()
    packets = numbered([*first, *again])
    timed = arriving(packets[: len(first)])
    timed += arriving(packets[len(first) :], START + 3)
    dues = feed(Decoder(CALL, FaceGenerator()), timed)
    later = [now for now, _ in pictures(dues) if now > START + 3.5]
    assert len(later) > 40


def test_it_learns_ten_times_a_second_from_what_comes(talking: Talking) -> None:
    packets = numbered(Synthetic(frames=100, keyframe_every=200).packets())
    call(packets)
    assert 28 <= len(talking.learned) <= 41
    assert not talking.asked
    other = Talking()
    talking.learned, before = other.learned, talking.learned
    call(without_motion(packets, 25, 75))
    assert not [t for t in talking.learned if 1 <= t < 3]  # of what it made up it learns nothing
    assert set(talking.learned) & set(before)


def test_in_files_it_learns_the_same_each_time(talking: Talking) -> None:
    packets = Synthetic(frames=100, keyframe_every=200).packets()
    runs = []
    for _ in range(2):
        talking.learned = []
        with Decoder(DecoderConfig(), FaceGenerator()) as decoder:
            for packet in packets:
                decoder.decode(packet)
            decoder.flush()
        runs.append(talking.learned)
    assert runs[0] == runs[1]
    assert len(runs[0]) > 25


def test_a_person_is_forgotten_with_the_stream_and_when_another_comes(talking: Talking) -> None:
    packets = numbered(Synthetic(frames=75, keyframe_every=100).packets())
    decoder, _ = call(packets)
    assert talking.forgotten == 2  # when the decoder and when the stream began
    decoder.reset()
    assert talking.forgotten == 3
    call(numbered(Synthetic(frames=75, keyframe_every=50).packets()))
    assert talking.forgotten == 6  # and with the second keyframe, for which nobody asked


def test_prepare_loads_the_predictor(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Talking] = []

    def make() -> Talking:
        made.append(Talking())
        return made[-1]

    monkeypatch.setattr(speech_module, "MouthPredictor", make)
    decoder = Decoder(CALL, FaceGenerator())
    decoder.prepare()
    assert len(made) == 1
    packets = without_motion(numbered(Synthetic(frames=50, keyframe_every=100).packets()), 20, 30)
    feed(decoder, arriving(packets))
    assert len(made) == 1
    assert made[0].asked


def test_an_identity_tells_of_the_mouth(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Talking()
    monkeypatch.setattr(speech_module, "MouthPredictor", lambda: predictor)
    habits = MouthHabits(bytes(32), np.zeros((3, 8, 2)), np.zeros((3, 8)), np.zeros((40, 2)))
    delta = {"generator.head.weight": np.ones((2, 3), np.float32)}
    identity = Identity.pack("avfr-s", bytes(32), delta, habits)
    packets = Synthetic(frames=20).packets()
    for config, known in ((replace(CALL, identity=identity), identity.mouth), (CALL, None)):
        with Decoder(config, FaceGenerator()) as decoder:
            for packet in packets:
                decoder.decode(packet)
        assert predictor.known is known
