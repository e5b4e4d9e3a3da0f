"""A stream with a base layer, from packets to pictures."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.base_packets import BaseGroup
from facewire.codec.keyframe import encode_picture
from facewire.codec.packet import Kind, Packet
from facewire.codec.picture.chain import ChainEncoder
from facewire.codec.picture.coded_picture import StillCodec
from facewire.codec.picture.coders import CODERS
from facewire.codec.picture.still import Anchor
from facewire.receiver.decoder import Decoder
from facewire.receiver.outputs import PictureOutput
from tests.codec.picture.able import codes_chains

from .conftest import FakeGenerator, Synthetic, picture

pytestmark = codes_chains


def with_base(frames: int = 12) -> tuple[list[Packet], list[npt.NDArray[np.uint8]]]:
    """A stream without sound whose base layer shows what the generator cannot; and its pictures."""
    silent = Synthetic(frames=frames, sound=False, keyframe_every=frames)
    pictures = [picture(4 * n + 90) for n in range(frames)]
    still = encode_picture(picture(0), quality=20)
    keyframe = replace(silent.keyframe(0, 0), picture=still)
    with ChainEncoder(Anchor(picture(0), still), 0) as encoder:
        data = [encoder.encode(each) for each in pictures]
    header, *rest = silent.packets()
    motion = [packet for packet in rest if packet.kind == Kind.MOTION]
    packets = [header, *keyframe.to_packets(0)]
    for start in range(0, frames, 4):
        coded = tuple((bool(n), each) for n, each in enumerate(data[start : start + 4]))
        packets += BaseGroup(0, 7, start + 1, 30, start, coded).to_packets()
        packets += motion[start : start + 4]
    return [replace(packet, sequence=n) for n, packet in enumerate(packets)], pictures


def pictures_of(decoder: Decoder, packets: list[Packet]) -> list[PictureOutput]:
    outputs = [out for packet in packets for out in decoder.decode(packet)] + decoder.flush()
    return [out for out in outputs if isinstance(out, PictureOutput)]


def test_the_base_layer_is_shown(generator: FakeGenerator) -> None:
    packets, truth = with_base()
    decoder = Decoder(generator=generator)
    shown = pictures_of(decoder, packets)
    assert len(shown) == len(truth)
    for out, expected in zip(shown, truth, strict=True):
        assert np.abs(out.frame.astype(int) - expected).mean() < 4
    assert (decoder.statistics.based, decoder.statistics.damaged) == (12, 0)


def test_a_lost_base_packet_costs_pictures_of_the_base_alone(generator: FakeGenerator) -> None:
    packets, truth = with_base()
    groups = [at for at, packet in enumerate(packets) if packet.kind == Kind.BASE]
    whole = pictures_of(Decoder(generator=FakeGenerator()), packets)
    decoder = Decoder(generator=generator)
    shown = pictures_of(decoder, [p for at, p in enumerate(packets) if at != groups[1]])
    assert len(shown) == len(truth)
    assert not any(out.concealed for out in shown)
    same = [np.array_equal(a.frame, b.frame) for a, b in zip(shown, whole, strict=True)]
    assert same == [True] * 4 + [False] * 8
    plain = pictures_of(Decoder(generator=FakeGenerator()), without_base(packets))
    assert np.array_equal(shown[-1].frame, plain[-1].frame)
    jumps = [np.abs(a.frame.astype(int) - b.frame).mean() for a, b in pairwise(shown)]
    whole_jump = np.abs(whole[3].frame.astype(int) - plain[4].frame).mean()
    assert max(jumps) < 0.5 * whole_jump  # the seam is spread over several pictures


def test_where_a_chain_changes_its_size_the_generated_picture_is_shown(
    generator: FakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = CODERS[StillCodec.AV1].options["svtav1-params"]
    halved = f"{params}:resize-mode=4:frame-resz-events=5:frame-resz-denoms=16"
    monkeypatch.setitem(CODERS[StillCodec.AV1].options, "svtav1-params", halved)
    packets, truth = with_base()
    decoder = Decoder(generator=generator)
    shown = pictures_of(decoder, packets)
    plain = pictures_of(Decoder(generator=FakeGenerator()), without_base(packets))
    assert len(shown) == len(truth)
    assert not any(out.concealed for out in shown)
    for out, expected in zip(shown[:4], truth[:4], strict=True):
        assert np.abs(out.frame.astype(int) - expected).mean() < 4
    assert all(np.array_equal(a.frame, b.frame) for a, b in zip(shown[8:], plain[8:], strict=True))
    assert decoder.statistics.damaged == 1


def without_base(packets: list[Packet]) -> list[Packet]:
    rest = [packet for packet in packets if packet.kind != Kind.BASE]
    return [replace(packet, sequence=n) for n, packet in enumerate(rest)]


def test_base_packets_out_of_order_or_twice_change_nothing(generator: FakeGenerator) -> None:
    packets, _ = with_base()
    whole = pictures_of(Decoder(generator=FakeGenerator()), packets)
    at = [n for n, packet in enumerate(packets) if packet.kind == Kind.BASE]
    mixed = list(packets)
    mixed[at[0] : at[0]] = [packets[at[1]], packets[at[2]], packets[at[1]]]
    shown = pictures_of(Decoder(generator=generator), mixed)
    assert all(np.array_equal(a.frame, b.frame) for a, b in zip(shown, whole, strict=True))


def test_base_packets_before_anything_else_are_ignored(generator: FakeGenerator) -> None:
    packets, truth = with_base()
    base = [packet for packet in packets if packet.kind == Kind.BASE]
    decoder = Decoder(generator=generator)
    for packet in base:
        assert decoder.decode(packet) == []
    decoder.reset()
    assert len(pictures_of(decoder, without_base(packets))) == len(truth)
    assert decoder.statistics.based == 0
