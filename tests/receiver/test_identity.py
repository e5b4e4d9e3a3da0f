"""An identity at the receiver: applied where it fits, waited for by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facewire.codec.errors import WeightsError
from facewire.codec.identity import Identity
from facewire.codec.identity_packets import introduce
from facewire.codec.packet import Kind, Packet
from facewire.codec.stream import StreamHeader
from facewire.models.weights import Card, changed_tensors, load_card
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.generators.load import load_generator
from facewire.receiver.outputs import PictureOutput

from .generators.test_protocol import numbers, picture, points

SHA256 = bytes(32)
HEAD = "generator.head.weight"


def person(seed: int = 0, sha256: bytes = SHA256, outputs: int = 400) -> Identity:
    delta = np.random.default_rng(seed).normal(0, 0.02, (outputs, 9)).astype(np.float32)
    return Identity.pack("avfr-s", sha256, {HEAD: delta})


def fitting(card: Card, name: str = HEAD, shape: tuple[int, ...] = (12, 24, 3, 3)) -> Identity:
    delta = np.random.default_rng(0).normal(0, 0.02, shape).astype(np.float32)
    return Identity.pack(card.name, card.sha256, {name: delta})


class Opened:
    """Stands for `open_generator`: notes for whom a generator is opened."""

    def __init__(self, make: Any) -> None:
        self.make = make
        self.people: list[Identity | None] = []
        self.generators: list[Any] = []
        self.refuse = False

    def __call__(self, header: StreamHeader, config: DecoderConfig) -> Any:
        identity = config.identity
        self.people.append(identity)
        if identity is not None and self.refuse:
            raise WeightsError("it does not fit")
        self.generators.append(self.make())
        return self.generators[-1]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, generator: Any) -> Iterator[Opened]:
    fake = Opened(type(generator))
    monkeypatch.setattr("facewire.receiver.generators.networks.open_generator", fake)
    return fake


def stream(synthetic: Any, identity: Identity | None, name: bytes | None = None) -> list[Packet]:
    """STREAM (that names the identity), IDENTITY packets, then keyframe, motion, sound."""
    plain = synthetic(frames=20).packets()
    named = name or (identity.id if identity else None)
    header = replace(synthetic().header(), identity=named)
    packets = [header.to_packet(0), *(introduce(identity, 0) if identity else []), *plain[1:]]
    return [replace(packet, sequence=number) for number, packet in enumerate(packets)]


def frames(decoder: Decoder, packets: list[Packet]) -> int:
    outputs = [output for packet in packets for output in decoder.decode(packet)]
    return sum(isinstance(output, PictureOutput) for output in (*outputs, *decoder.flush()))


def test_one_in_the_stream_is_applied(synthetic: Any, opened: Opened) -> None:
    me = person()
    decoder = Decoder()
    packets = stream(synthetic, me)
    decoder.decode(packets[0])
    assert decoder.statistics.wants_identity
    assert frames(decoder, packets[1:]) == 20
    assert opened.people == [None, me]
    assert opened.generators[0].motions == []
    assert len(opened.generators[1].motions) == 20
    counts = decoder.statistics
    assert (counts.lost, counts.damaged, counts.wants_identity) == (0, 0, False)


def test_out_of_order_and_doubled(synthetic: Any, opened: Opened) -> None:
    me = person()
    packets = stream(synthetic, me)
    introduced = [p for p in packets if p.kind == Kind.IDENTITY]
    assert len(introduced) > 2
    rest = [p for p in packets if p.kind != Kind.IDENTITY]
    decoder = Decoder()
    assert frames(decoder, [*introduced[::-1], *introduced, *rest]) == 20
    assert opened.people == [me]  # it was there before the stream's header


def test_without_a_part_the_face_goes_on_unadapted_until_it_comes(
    synthetic: Any, opened: Opened
) -> None:
    me = person()
    packets = stream(synthetic, me)
    lost = next(p for p in packets if p.kind == Kind.IDENTITY)
    rest = [p for p in packets if p is not lost]
    decoder = Decoder()
    shown = sum(isinstance(o, PictureOutput) for p in rest[:-20] for o in decoder.decode(p))
    assert shown > 0
    assert opened.people == [None]
    assert decoder.statistics.wants_identity
    last = packets[-1].sequence
    again = [replace(p, sequence=last + 1 + i) for i, p in enumerate(introduce(me, 0))]
    for packet in again:
        decoder.decode(packet)
    assert opened.people == [None, me]
    assert not decoder.statistics.wants_identity
    assert shown + frames(decoder, rest[-20:]) == 20
    assert opened.generators[1].motions
    assert opened.generators[1].sources == 0  # the keyframe was ready and stays so


def test_one_of_another_stream_is_not_applied(synthetic: Any, opened: Opened) -> None:
    decoder = Decoder()
    assert frames(decoder, stream(synthetic, person(1), name=person(2).id)) == 20
    assert opened.people == [None]
    assert decoder.statistics.wants_identity


def test_packets_without_a_name_in_the_header_are_not_applied(
    synthetic: Any, opened: Opened
) -> None:
    packets = synthetic(frames=20).packets()
    packets[1:1] = introduce(person(), 1)
    numbered = [replace(packet, sequence=number) for number, packet in enumerate(packets)]
    decoder = Decoder()
    assert frames(decoder, numbered) == 20
    assert opened.people == [None]
    assert not decoder.statistics.wants_identity


def test_one_that_does_not_fit_is_counted_and_left(synthetic: Any, opened: Opened) -> None:
    opened.refuse = True
    me = person()
    early = [*introduce(me, 0), *stream(synthetic, None, me.id)]
    for packets in (stream(synthetic, me), [replace(p, sequence=i) for i, p in enumerate(early)]):
        decoder = Decoder()
        assert frames(decoder, packets) == 20
        assert decoder.statistics.damaged == 1
    assert opened.people == [None, me, me, None]


def test_damaged_packets_are_counted(synthetic: Any, opened: Opened) -> None:
    packets = stream(synthetic, person())
    packets = [
        replace(p, payload=p.payload[:-1] + b"?") if p.kind == Kind.IDENTITY else p for p in packets
    ]
    short = [replace(p, payload=p.payload[:12]) for p in introduce(person(), 0)[:2]]
    decoder = Decoder()
    assert frames(decoder, [packets[0], *short, *packets[1:]]) == 20
    assert decoder.statistics.damaged == 3
    assert opened.people == [None]


def test_a_file_beside_the_stream(synthetic: Any, opened: Opened) -> None:
    me = person()
    for packets in (stream(synthetic, None), stream(synthetic, None, me.id)):
        decoder = Decoder(DecoderConfig(identity=me))
        assert frames(decoder, packets) == 20
        assert not decoder.statistics.wants_identity
    assert opened.people == [me, me]


def test_nobody_is_shown_as_somebody_else(synthetic: Any, opened: Opened) -> None:
    decoder = Decoder(DecoderConfig(identity=person(1)))
    with pytest.raises(WeightsError, match=person(2).id.hex()):
        frames(decoder, stream(synthetic, person(2)))
    assert opened.people == []


def test_a_second_stream_of_the_same_person_needs_no_second_sending(
    synthetic: Any, opened: Opened
) -> None:
    me = person()
    decoder = Decoder()
    assert frames(decoder, stream(synthetic, me)) == 20
    decoder.reset()
    assert frames(decoder, stream(synthetic, None, me.id)) == 20
    assert opened.people == [None, me]
    assert not decoder.statistics.wants_identity


def test_both_backends_show_the_same_adapted_face() -> None:
    card = load_card("s")
    changes = changed_tensors(card, fitting(card))
    shown = []
    for backend, changed in (("openvino", None), ("openvino", changes), ("torch", changes)):
        generator = load_generator(card, backend, 1, changes=changed)  # type: ignore[arg-type]
        source = generator.set_source(picture(), numbers(), points())
        shown.append(generator.render(source, numbers(0.05), None).astype(int))
    plain, adapted, torch = shown
    difference = np.abs(adapted - torch).mean()
    assert difference < 3
    assert np.abs(adapted - plain).mean() > max(1, 2 * difference)


def test_changes_are_of_the_decoder_of_these_weights_alone() -> None:
    card = load_card("s")
    tensors = changed_tensors(card, fitting(card))
    assert {name: value.shape for name, value in tensors.items()} == {HEAD: (12, 24, 3, 3)}
    assert tensors[HEAD].dtype == np.float32
    np.testing.assert_array_equal(tensors[HEAD], tensors[HEAD].astype(np.float16))
    with pytest.raises(WeightsError, match="made for avfr-s with weights 000000000000"):
        changed_tensors(card, person())
    for name, shape in (
        (HEAD, (12, 24)),
        ("generator.head.colour", (3,)),
        ("generator.encoder.stem.bias", (24,)),
        ("face.mean", (478, 2)),
    ):
        with pytest.raises(WeightsError, match=name):
            changed_tensors(card, fitting(card, name, shape))
