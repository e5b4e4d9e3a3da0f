"""Datagrams of a call: several packets of a stream share one, because headers cost so much.

A datagram is little-endian:

0       version      u8, 1
1..2    session      u16, the low bits of the sender's session number
3..4    number       u16, counts datagrams
5..6    sent         u16, ms of the sender's clock, modulo 65536
7..8    sequence     u16, sequence number of the first packet of the stream in it
9..     packets      each: tag u8, [reference u8], pts u16, length, payload

The tag holds the packet's kind modulo 8 (three bits), its flags INTRA (8) and SYNTHETIC (16), and
whether a reference follows (32). CONTROL packets (bit 64) have numbers of their own, as a u16 in
the place of the time. All others count on from `sequence`. Bit 128 says that numbers were skipped
before this packet; a u8 says how many. A length below 128 takes one byte, else two: the low seven
bits with the highest bit set, then the rest.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..codec.counters import WRAP
from ..codec.errors import ConfigError, StreamError, TruncatedError, UnsupportedError
from ..codec.packet import MAX_DATAGRAM, Flags, Kind, Packet

__all__ = ["HEAD_BYTES", "MAX_BYTES", "Datagram", "batches", "entry_size", "packed_size"]

VERSION = 1
_HEAD = struct.Struct("<BHHHH")
HEAD_BYTES = _HEAD.size
MAX_BYTES = MAX_DATAGRAM + 16
"""Of a datagram: the largest packet of a stream fits, with the datagram's head."""
MAX_PACKETS = 64
_U16 = struct.Struct("<H")
_KIND, _INTRA, _SYNTHETIC, _REFERENCE, _CONTROL, _SKIPPED = 7, 8, 16, 32, 64, 128
_SKIPS = 255
_ODD = 8  # bytes that skipped sequence numbers may add to a datagram
_LATER = {kind & _KIND: kind for kind in (Kind.BASE, Kind.LIGHT)}
"""Kinds that are no longer below 8. LIGHT takes the place of PARITY, which nobody sends."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """What one datagram carries.

    Attributes:
        session: low 16 bits of the sender's session number.
        number: counts the sender's datagrams, 0..65535.
        sent: ms of the sender's clock, modulo 65536.
        packets: at most 64. Those of the stream are in rising order of their sequence numbers.
    """

    session: int
    number: int
    sent: int
    packets: tuple[Packet, ...]

    def __bytes__(self) -> bytes:
        """At most `MAX_BYTES` bytes.

        Raises:
            ConfigError: it would be larger, its packets are not in order, or one is PARITY.
        """
        if len(self.packets) > MAX_PACKETS:
            raise ConfigError(f"{len(self.packets)} packets; a datagram carries {MAX_PACKETS}")
        first = _first_sequence(self.packets)
        parts = [
            _HEAD.pack(VERSION, self.session % WRAP, self.number % WRAP, self.sent % WRAP, first)
        ]
        expected = first
        for packet in self.packets:
            if packet.kind == Kind.PARITY:
                raise ConfigError("a datagram has no place for PARITY")
            skipped = 0
            if packet.kind != Kind.CONTROL:
                skipped = (packet.sequence - expected) % WRAP
                expected = (packet.sequence + 1) % WRAP
                if skipped > _SKIPS:
                    raise ConfigError(
                        f"packet {packet.sequence} does not follow {expected} within a datagram"
                    )
            parts.append(_entry(packet, skipped))
        data = b"".join(parts)
        if len(data) > MAX_BYTES:
            raise ConfigError(f"a datagram of {len(data)} bytes; at most {MAX_BYTES} fit")
        return data

    @classmethod
    def parse(cls, data: bytes) -> Datagram:
        """Read a datagram.

        Raises:
            TruncatedError: it ends within its head or within a packet.
            UnsupportedError: it has another version.
            StreamError: it is too large, has too many packets, or a kind of packet that cannot be.
        """
        if len(data) > MAX_BYTES:
            raise StreamError(f"a datagram of {len(data)} bytes; at most {MAX_BYTES} are read")
        if len(data) < HEAD_BYTES:
            raise TruncatedError(f"a datagram has at least {HEAD_BYTES} bytes, not {len(data)}")
        version, session, number, sent, sequence = _HEAD.unpack_from(data)
        if version != VERSION:
            raise UnsupportedError(f"datagrams of version {version} are not known here")
        packets: list[Packet] = []
        rest = memoryview(data)[HEAD_BYTES:]
        while rest:
            if len(packets) == MAX_PACKETS:
                raise StreamError(f"a datagram carries at most {MAX_PACKETS} packets")
            packet, sequence, rest = _read_entry(rest, sequence)
            packets.append(packet)
        return cls(session, number, sent, tuple(packets))


def packed_size(packets: Iterable[Packet]) -> int:
    """Bytes of a datagram with these packets, if their sequence numbers follow each other."""
    return HEAD_BYTES + sum(len(_entry(packet, 0)) for packet in packets)


def entry_size(packet: Packet) -> int:
    """About how many bytes a packet takes in a datagram: tag, time and length are 4 of them."""
    return 4 + bool(packet.reference) + (len(packet.payload) > 127) + len(packet.payload)


def batches(packets: Sequence[Packet]) -> list[list[Packet]]:
    """Divide packets among as few datagrams as possible, in their order."""
    found: list[list[Packet]] = []
    for packet in packets:
        trial = [*found[-1], packet] if found else []
        if not trial or packed_size(trial) + _ODD > MAX_DATAGRAM or len(trial) > MAX_PACKETS:
            found.append([packet])
        else:
            found[-1] = trial
    return found


def _first_sequence(packets: Sequence[Packet]) -> int:
    numbered = (packet.sequence for packet in packets if packet.kind != Kind.CONTROL)
    return next(numbered, 0)


def _entry(packet: Packet, skipped: int) -> bytes:
    """A packet as a datagram holds it; `skipped` sequence numbers are left out before it."""
    tag = int(packet.kind) & _KIND
    tag |= _INTRA if Flags.INTRA in packet.flags else 0
    tag |= _SYNTHETIC if Flags.SYNTHETIC in packet.flags else 0
    tag |= _REFERENCE if packet.reference else 0
    tag |= _SKIPPED if skipped else 0
    time = packet.pts
    if packet.kind == Kind.CONTROL:
        tag |= _CONTROL
        time = packet.sequence
    head = bytes([tag])
    head += bytes([skipped]) if skipped else b""
    head += bytes([packet.reference]) if packet.reference else b""
    length = len(packet.payload)
    size = bytes([length]) if length < 128 else bytes([128 | length & 127, length >> 7])
    return head + _U16.pack(time) + size + packet.payload


def _read_entry(data: memoryview, sequence: int) -> tuple[Packet, int, memoryview]:
    """The next packet, the sequence number after it, and the rest."""
    reader = _Reader(data)
    tag = reader.byte()
    control = bool(tag & _CONTROL)
    skipped = reader.byte() if tag & _SKIPPED else 0
    reference = reader.byte() if tag & _REFERENCE else 0
    time = reader.byte() | reader.byte() << 8
    length = reader.byte()
    if length & 128:
        length = length & 127 | reader.byte() << 7
    payload = reader.take(length)
    flags = Flags.INTRA if tag & _INTRA else Flags.NONE
    flags |= Flags.SYNTHETIC if tag & _SYNTHETIC else Flags.NONE
    if reference > 15:
        raise StreamError(f"a packet refers to reference {reference}; ids are below 16")
    if not control:
        sequence = (sequence + skipped) % WRAP
    number, pts = (time, 0) if control else (sequence, time)
    following = sequence if control else (sequence + 1) % WRAP
    kind = _LATER.get(tag & _KIND) or Kind(tag & _KIND)
    if control != (kind == Kind.CONTROL):
        raise StreamError("a packet is numbered as its kind is not")
    return Packet(kind, flags, reference, number, pts, payload), following, reader.rest


class _Reader:
    """Takes bytes from the front of a datagram."""

    def __init__(self, data: memoryview) -> None:
        self.rest = data

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, count: int) -> bytes:
        if len(self.rest) < count:
            raise TruncatedError("a datagram ends within a packet")
        taken, self.rest = bytes(self.rest[:count]), self.rest[count:]
        return taken
