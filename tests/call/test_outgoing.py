"""Packets of every size leave in datagrams that fit."""

from __future__ import annotations

from pathlib import Path

from facewire.call.config import CallConfig
from facewire.call.outgoing import Outgoing
from facewire.call.pack import HEAD_BYTES, MAX_BYTES, Datagram, batches, packed_size
from facewire.codec.light import Light, LightGroup
from facewire.codec.packet import HEADER_BYTES, MAX_DATAGRAM, Flags, Kind, Packet
from facewire.sender.config import EncoderConfig
from facewire.sender.encoder import Encoder


def test_the_largest_packet_fits_a_datagram_whatever_stands_before_it() -> None:
    sizes = [MAX_DATAGRAM - HEADER_BYTES, 3, MAX_DATAGRAM - HEADER_BYTES, 700, 700, 1]
    packets = [
        Packet(Kind.KEYFRAME, Flags.INTRA, 7, 200 * number, 5, bytes(size))
        for number, size in enumerate(sizes)
    ]
    packets.insert(3, Packet(Kind.CONTROL, Flags.NONE, 0, 9, 0, bytes(900)))
    left = []
    for batch in batches(packets):
        data = bytes(Datagram(1, 2, 3, (*batch,)))
        assert len(data) <= MAX_BYTES
        left += Datagram.parse(data).packets
    assert left == packets


def test_light_leaves_with_the_motion_that_it_belongs_to(card: Path) -> None:
    """It does not wait behind a picture, and neither sound nor motion waits for light to come."""
    config = CallConfig(kbps=16.0, encoder=EncoderConfig(model=str(card)))
    with Encoder(EncoderConfig(model=str(card), kbps=16.0, plan_ahead_s=0), fps=25) as encoder:
        outgoing = Outgoing(config, encoder, 0.0)
        picture = [Packet(Kind.KEYFRAME, Flags.INTRA, 0, 0, 0, bytes(1000)) for _ in range(20)]
        light = LightGroup(0, 3, 1, (Light(0.5, 0),)).to_packet()
        motion = Packet(Kind.MOTION, Flags.SYNTHETIC, 0, 0, 3, bytes(20))
        sound = Packet(Kind.AUDIO, Flags.INTRA, 0, 0, 3, bytes(40))
        outgoing.take([*picture, light, motion, sound], 0.0)
        left = [
            packet.kind
            for tick in range(8)
            for data in outgoing.send(tick / 20)
            for packet in Datagram.parse(data).packets
        ]
    assert left[:3] == [Kind.LIGHT, Kind.MOTION, Kind.AUDIO]
    assert Kind.LIGHT not in outgoing._prompt._seen
    assert outgoing.statistics.motion == packed_size([light, motion]) - HEAD_BYTES
