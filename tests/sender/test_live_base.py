"""The base layer of calls: frame by frame, within the rate, from references that are there."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from facewire.codec.base_packets import BaseAssembler, BaseGroup
from facewire.codec.control import Control, ReferenceState, Wants
from facewire.codec.errors import ConfigError
from facewire.codec.motion.profiles import motion_ticks
from facewire.codec.packet import Kind, Packet
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder
from tests.codec.picture.able import codes_chains

from ..receiver.conftest import FakeGenerator
from .test_rate_kept import FPS, Turning, all_of, send, size

pytestmark = [codes_chains, pytest.mark.usefixtures("quick_stills")]


KBPS = 30.0


def call(card: Path, **settings: object) -> tuple[Encoder, Turning]:
    face = Turning(detail=24)
    config = EncoderConfig(model=str(card), crop=False, kbps=KBPS, base="calls", **settings)  # type: ignore[arg-type]
    return Encoder(config, fps=FPS, tracker=face, sound=False), face


@pytest.fixture(scope="module")
def sent(card: Path) -> list[list[Packet]]:
    """Ten seconds without answers."""
    return send(card, 10, live=True, kbps=KBPS, detail=24, base="calls")


def groups_of(packets: list[Packet]) -> list[BaseGroup]:
    assembler = BaseAssembler()
    found = [assembler.push(packet) for packet in packets if packet.kind == Kind.BASE]
    return [group for group in found if group is not None]


def test_chains_are_whole(sent: list[list[Packet]]) -> None:
    groups = groups_of(all_of(sent))
    assert groups
    assert groups[0].index == 1
    for one, other in pairwise(groups):
        if one.chain == other.chain:
            assert other.index == one.index + len(one.frames)
        else:
            assert (other.chain, other.index) == (one.chain + 1, 1)


def test_the_rate_is_kept_and_used(sent: list[list[Packet]]) -> None:
    """The first keyframe is a burst, which is earned back, so the first second does not count.
    Later references may be bursts, too, which are earned back within ten seconds, but the base
    layer is none.
    """
    rest = all_of(sent[25:])
    bits = 8 * size(rest, in_file=False)
    assert 0.8 * KBPS < bits / 9000 < 1.05 * KBPS
    assert sum(len(p.payload) for p in rest if p.kind == Kind.BASE) > 0.3 * bits / 8
    for start in range(25, 150, 25):
        packets = all_of(sent[start : start + 50])
        base = [packet for packet in packets if packet.kind == Kind.BASE]
        assert 8 * size(base, in_file=False) / 2000 < KBPS


def test_it_is_never_later_than_its_motion(sent: list[list[Packet]]) -> None:
    moved: set[int] = set()
    for packet in all_of(sent):
        if packet.kind == Kind.MOTION:
            moved |= {packet.pts + after for after in motion_ticks("entropy", packet.payload)}
        if packet.kind == Kind.BASE:
            assert packet.pts not in moved


def test_a_receiver_shows_it(sent: list[list[Packet]]) -> None:
    decoder = Decoder(DecoderConfig(), FakeGenerator())
    shown = [o for packet in all_of(sent) for o in decoder.decode(packet)]
    assert sum(isinstance(out, PictureOutput) for out in shown) > 240
    frames = sum(len(group.frames) for group in groups_of(all_of(sent)))
    assert decoder.statistics.based >= frames > 100
    assert (decoder.statistics.damaged, decoder.statistics.missing_reference) == (0, 0)
    face = Turning(detail=24)
    truth = [face.frame() for _ in range(250)]
    errors = [
        np.abs(out.frame.astype(int) - truth[round(out.pts * FPS)]).mean()
        for out in shown[150:]
        if isinstance(out, PictureOutput)
    ]
    assert np.median(errors) < 0.5 * np.abs(truth[0].astype(int) - truth[60]).mean()


def test_a_chain_begins_where_the_receiver_has_the_reference(card: Path) -> None:
    encoder, face = call(card)
    encoder.encode(face.frame())
    encoder.feed(Control(session=encoder.header.session, references=()))
    quiet = [p for _ in range(30) for p in encoder.encode(face.frame())]
    assert not groups_of(quiet)
    reference = next(iter(encoder._animation.known))
    assert isinstance(reference.state, ReferenceState)
    encoder.feed(Control(session=encoder.header.session, references=(reference.state,)))
    after = groups_of([p for _ in range(12) for p in encoder.encode(face.frame())])
    assert (after[0].reference, after[0].index) == (reference.id, 1)


def test_a_lost_chain_is_replaced(card: Path) -> None:
    encoder, face = call(card)
    before = groups_of([p for _ in range(40) for p in encoder.encode(face.frame())])
    encoder.feed(Control(session=encoder.header.session, wants=Wants.BASE))
    after = groups_of([p for _ in range(20) for p in encoder.encode(face.frame())])
    chains = {group.chain for group in after}
    assert max(chains) == before[-1].chain + 1
    assert next(group for group in after if group.chain == max(chains)).index == 1


def test_a_chain_that_has_room_for_few_frames_is_given_up(card: Path) -> None:
    """Where the whole picture jumps about, even the coarsest frames are far too large: those of the
    second chain, which is as coarse as can be. After ten seconds another chain is tried, and goes
    on if the picture is calm by then.
    """
    encoder, face = call(card)
    places = np.random.default_rng(3)
    coded: dict[int, int] = {}
    for number in range(19 * FPS):
        frame = face.frame()
        if 3 < number < 6 * FPS:
            frame = np.roll(frame, places.integers(0, 256, 2), (0, 1))
        coded[number] = sum(len(group.frames) for group in groups_of(encoder.encode(frame)))
    tried, rest, again = (
        sum(coded[number] for number in range(int(start * FPS), int(end * FPS)))
        for start, end in ((0, 6), (6, 15), (16, 19))
    )
    assert 0 < tried < 0.2 * 6 * FPS
    assert rest == 0
    assert again > 0.5 * 3 * FPS


def moving_call(card: Path, seconds: int) -> list[Packet]:
    """A picture of little detail, which moves much: its still is fine, and its chain is dear."""
    face = Turning(0.06, detail=16)
    config = EncoderConfig(model=str(card), crop=False, kbps=23.0, base="calls")
    encoder = Encoder(config, fps=FPS, tracker=face, sound=False)
    return [packet for _ in range(seconds * FPS) for packet in encoder.encode(face.frame())]


def test_a_fine_still_does_not_make_the_chain_too_dear(card: Path) -> None:
    packets = moving_call(card, 6)
    covered = sum(len(group.frames) for group in groups_of(packets))
    assert covered > 0.5 * 6 * FPS
    decoder = Decoder(DecoderConfig(), FakeGenerator())
    for packet in packets:
        decoder.decode(packet)
    assert (decoder.statistics.damaged, decoder.statistics.missing_reference) == (0, 0)
    assert decoder.statistics.based >= covered


def test_the_same_frames_give_the_same_base_layer(card: Path) -> None:
    first, second = (
        [packet.payload for packet in moving_call(card, 2) if packet.kind == Kind.BASE]
        for _ in range(2)
    )
    assert first
    assert first == second


def test_the_still_of_a_chain_keeps_its_id(card: Path) -> None:
    """Though motion has long left it for others, and there have been more references than ids."""
    encoder, face = call(card)
    while not groups_of(encoder.encode(face.frame())):
        pass
    animation = encoder._animation
    followed = animation.followed
    assert followed is not None
    animation.known.clear()
    observed = encoder._sight.observe(face.frame(), 1000)
    assert observed.view is not None
    ids = {animation.refer(observed.view, 1000, join=False).id for _ in range(32)}
    assert ids == set(range(16)) - {followed.id}


def test_a_lower_rate_changes_the_quantiser_where_another_chain_begins(card: Path) -> None:
    encoder, face = call(card)
    encoder.set_rate(2 * KBPS)
    before = groups_of([p for _ in range(8 * FPS) for p in encoder.encode(face.frame())])
    encoder.set_rate(20.0)
    after = groups_of([p for _ in range(8 * FPS) for p in encoder.encode(face.frame())])
    qualities: dict[int, set[int]] = {}
    for group in before + after:
        qualities.setdefault(group.chain, set()).add(group.quality)
    assert all(len(each) == 1 for each in qualities.values())
    assert before[-1].chain != after[-1].chain
    assert after[-1].quality > before[-1].quality  # coarser
    begun = next(group for group in after if group.chain == after[-1].chain)
    assert begun.index == 1


def test_a_higher_rate_lets_a_finer_chain_begin(card: Path) -> None:
    encoder, face = call(card)
    before = groups_of([p for _ in range(60) for p in encoder.encode(face.frame())])
    encoder.set_rate(3 * KBPS)
    after = groups_of([p for _ in range(100) for p in encoder.encode(face.frame())])
    assert before[-1].chain != after[-1].chain
    assert after[-1].quality < before[-1].quality


def test_below_the_crossing_it_ends(card: Path) -> None:
    encoder, face = call(card)
    assert groups_of([p for _ in range(20) for p in encoder.encode(face.frame())])
    encoder.set_rate(9.0)
    encoder.encode(face.frame())
    assert not groups_of([p for _ in range(20) for p in encoder.encode(face.frame())])


def test_calls_have_none_unless_asked_for(card: Path) -> None:
    assert not groups_of(all_of(send(card, 2, live=True, kbps=KBPS)))
    with pytest.raises(ConfigError):
        EncoderConfig(base="files")  # type: ignore[arg-type]
