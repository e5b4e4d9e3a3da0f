"""Packets of every size leave in datagrams that fit."""

from __future__ import annotations

from facewire.call.outgoing import _batches
from facewire.call.pack import MAX_BYTES, Datagram
from facewire.codec.packet import HEADER_BYTES, MAX_DATAGRAM, Flags, Kind, Packet


def test_the_largest_packet_fits_a_datagram_whatever_stands_before_it() -> None:
    sizes = [MAX_DATAGRAM - HEADER_BYTES, 3, MAX_DATAGRAM - HEADER_BYTES, 700, 700, 1]
    packets = [
        Packet(Kind.KEYFRAME, Flags.INTRA, 7, 200 * number, 5, bytes(size))
        for number, size in enumerate(sizes)
    ]
    packets.insert(3, Packet(Kind.CONTROL, Flags.NONE, 0, 9, 0, bytes(900)))
    left = []
    for batch in _batches(packets):
        data = bytes(Datagram(1, 2, 3, (*batch,)))
        assert len(data) <= MAX_BYTES
        left += Datagram.parse(data).packets
    assert left == packets
