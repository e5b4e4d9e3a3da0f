"""The base layer of files: when it is sent, what it takes, and where its packets go."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.codec.base_packets import BaseAssembler, BaseGroup
from facewire.codec.errors import MediaError
from facewire.codec.file.container import HEAD_BYTES
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.motion.profiles import motion_ticks
from facewire.codec.packet import Kind, Packet
from facewire.codec.picture.chain import ChainDecoder
from facewire.sender.base import layer
from facewire.sender.base.layer import BaseChain, BaseLayer, _cut, weave
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder

from .conftest import Frame
from .test_rate_kept import FPS, TRAILER, Turning, all_of, send, size

pytestmark = pytest.mark.usefixtures("quick_stills")

HIGH = 40.0  # kbit/s: far more than motion and references can use


@pytest.fixture(scope="module")
def based(card: Path) -> list[Packet]:
    """Four seconds with a base layer."""
    return all_of(send(card, 4, live=False, kbps=HIGH, detail=12, base=True))


def groups_of(packets: list[Packet]) -> list[BaseGroup]:
    assembler = BaseAssembler()
    found = [assembler.push(packet) for packet in packets if packet.kind == Kind.BASE]
    return [group for group in found if group is not None]


def keyframes_of(packets: list[Packet]) -> list[Keyframe]:
    assembler = KeyframeAssembler()
    found = [assembler.push(packet) for packet in packets if packet.kind == Kind.KEYFRAME]
    return [keyframe for keyframe in found if keyframe is not None]


def test_every_frame_is_in_the_chain_and_can_be_decoded(based: list[Packet]) -> None:
    groups, (keyframe, *_) = groups_of(based), keyframes_of(based)
    times = [group.pts + after for group in groups for after in group.times]
    assert times == list(range(100))
    assert {(group.reference, group.chain) for group in groups} == {(keyframe.id, 0)}
    counts = [len(group.frames) for group in groups]
    assert [group.index for group in groups] == [1, *accumulate(counts, initial=1)][1:-1]
    decoder, face = ChainDecoder(keyframe.picture), Turning(detail=12)
    frames = [face.frame() for _ in range(100)]
    shown = [decoder.decode(data) for group in groups for _, data in group.frames]
    errors = [np.abs(a.astype(int) - b).mean() for a, b in zip(shown, frames, strict=True)]
    moved = np.abs(frames[0].astype(int) - frames[40]).mean()
    assert max(errors) < 0.5 * moved


def test_the_rate_is_met(based: list[Packet]) -> None:
    bits = 8 * (HEAD_BYTES + TRAILER + size(based))
    assert bits / 4000 == pytest.approx(HIGH, rel=0.02)
    spent = {
        kind: sum(len(packet.payload) for packet in based if packet.kind == kind)
        for kind in (Kind.BASE, Kind.KEYFRAME)
    }
    assert spent[Kind.BASE] > 0.3 * bits / 8
    assert sum(spent.values()) > 0.9 * bits / 8


def test_a_group_comes_before_the_motion_of_its_frames(based: list[Packet]) -> None:
    ready, keyframe_came = -1, False
    assembler = BaseAssembler()
    for packet in based:
        keyframe_came |= packet.kind == Kind.KEYFRAME
        if packet.kind == Kind.BASE:
            assert keyframe_came
            group = assembler.push(packet)
            ready = ready if group is None else group.pts + group.times[-1]
        if packet.kind == Kind.MOTION:
            assert packet.pts + motion_ticks("entropy", packet.payload)[-1] <= ready


def test_each_stretch_has_a_chain_of_its_own(card: Path) -> None:
    sent = send(card, 4, live=False, kbps=HIGH, detail=12, plan_ahead_s=2, base=True)
    groups = groups_of(all_of(sent))
    assert sorted({group.chain for group in groups}) == [0, 1]
    assert next(group.index for group in groups if group.chain == 1) == 1
    assert len({group.reference for group in groups}) == 2
    bits = 8 * (HEAD_BYTES + TRAILER + size(all_of(sent)))
    assert bits / 4000 == pytest.approx(HIGH, rel=0.02)


@pytest.mark.parametrize("kbps", [9.0, 16.0])
def test_below_the_crossing_nothing_changes(card: Path, kbps: float) -> None:
    """These are 0.0055 and 0.0098 bits a pixel."""
    packets = [all_of(send(card, 3, live=False, kbps=kbps, base=base)) for base in (True, False)]
    assert packets[0] == packets[1]
    assert not groups_of(packets[0])


def test_an_encoder_that_refuses(
    card: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream is the one without a base layer, and a warning says so."""

    def refuse(frames: object, crf: float) -> None:
        raise MediaError("this encoder cannot look ahead")

    plain = all_of(send(card, 3, live=False, kbps=HIGH, detail=12))
    monkeypatch.setattr("facewire.sender.base.layer.code_ahead", refuse)
    packets = all_of(send(card, 3, live=False, kbps=HIGH, detail=12, base=True))
    assert packets == plain
    assert "no base layer" in caplog.text


def test_it_can_be_left_out(card: Path) -> None:
    packets = all_of(send(card, 3, live=False, kbps=HIGH, detail=12, base=False))
    assert not groups_of(packets)


def test_at_sixty_frames_a_second_every_second_one_is_in_it(card: Path) -> None:
    face = Turning(detail=12)
    config = EncoderConfig(model=str(card), crop=False, kbps=80.0, base=True)
    encoder = Encoder(config, fps=60, tracker=face, duration_s=Fraction(1), sound=False)
    packets = [p for _ in range(60) for p in encoder.encode(face.frame())] + encoder.flush()
    groups = groups_of(packets)
    assert [g.pts + after for g in groups for after in g.times] == list(range(0, 60, 2))


def test_groups_are_cut_by_number_size_and_pause() -> None:
    assert _cut(range(60), [10] * 60, 25) == [(0, 25), (25, 25), (50, 10)]
    assert _cut([0, 1, 300, 301], [10] * 4, 25) == [(0, 2), (2, 2)]
    assert _cut(range(4), [9000, 9000, 9000, 10], 25) == [(0, 2), (2, 2)]
    assert _cut(range(100), [10] * 100, 1000) == [(0, 64), (64, 36)]


def test_what_follows_no_motion_goes_to_the_end() -> None:
    base = [
        packet for pts in (0, 5) for packet in BaseGroup(0, 0, 1, 0, pts, ((0, b"x"),)).to_packets()
    ]
    other = Packet(Kind.AUDIO, base[0].flags, 0, 0, 0, b"sound")
    assert weave([other], base, "fp16") == [other, *base]


class Jumping(Turning):
    """A mesh that turns to and fro; its picture is always the same at first, then jumps about."""

    def __init__(self, calm: int) -> None:
        super().__init__(speed=0.1, detail=24)
        self.calm = calm
        self.places = np.random.default_rng(3)

    def frame(self) -> Frame:
        self.at += 1
        away = self.places.integers(0, 256, 2) if self.at >= self.calm else (0, 0)
        return np.roll(self.scene[:, :256], away, (0, 1))


def jumping(card: Path, calm: int, *, base: bool) -> list[Packet]:
    """Two seconds."""
    face = Jumping(calm)
    config = EncoderConfig(model=str(card), crop=False, kbps=19.0, base=base)
    encoder = Encoder(config, fps=FPS, tracker=face, duration_s=Fraction(2), sound=False)
    return [p for _ in range(50) for p in encoder.encode(face.frame())] + encoder.flush()


@pytest.mark.parametrize("calm", [0, 20])
def test_a_chain_that_does_not_fit_leaves_the_stream_as_it_is_without_one(
    card: Path, calm: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One frame after another shows what no frame before has shown, from the beginning, or only
    after the frames that are coded as a trial.
    """
    begun: list[BaseChain | None] = []
    begin = BaseLayer.begin

    def watched(*args: Any) -> BaseChain | None:
        begun.append(begin(*args))
        return begun[-1]

    monkeypatch.setattr(BaseLayer, "begin", watched)
    monkeypatch.setattr(layer, "_PROBED", 20)
    packets = jumping(card, calm, base=True)
    assert begun == [None]
    assert packets == jumping(card, calm, base=False)


def test_a_chain_that_does_not_fit_after_all_leaves_its_bytes_to_the_picture(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Motion took more than was expected, so that too little is left for the chain."""
    monkeypatch.setattr(BaseLayer, "code", lambda *_: None)
    packets = all_of(send(card, 2, live=False, kbps=24.0, detail=12, base=True))
    assert not groups_of(packets)
    assert len(keyframes_of(packets)) == 1
    bits = 8 * (HEAD_BYTES + TRAILER + size(packets))
    assert bits / 2000 == pytest.approx(24.0, rel=0.02)
