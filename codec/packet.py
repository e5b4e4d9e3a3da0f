"""`Packet`: what travels, in a datagram or a record of a file.

0       kind               u8
1       flags, reference   flags in the high four bits, keyframe id modulo 16 in the low four
2..3    sequence           u16 little-endian, counts all packets of a stream
4..5    pts                u16 little-endian, ticks modulo 65536
6..     payload            to the end of the datagram or record
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from .counters import WRAP
from .errors import ConfigError, StreamError, TruncatedError, UnsupportedError

__all__ = [
    "HEADER_BYTES",
    "MAX_DATAGRAM",
    "MAX_PACKET",
    "MAX_PAYLOAD",
    "Flags",
    "Kind",
    "Packet",
]

_HEADER = struct.Struct("<BBHH")
HEADER_BYTES = _HEADER.size
MAX_DATAGRAM = 1200
"""Senders make no packet larger than this: it passes every path unfragmented (RFC 9000, 14)."""
MAX_PACKET = 4096
"""Largest packet that is read. Low, since a reader that looks for the next good record of a
damaged file may have to checksum this much at each position."""
MAX_PAYLOAD = MAX_PACKET - HEADER_BYTES


class Kind(IntEnum):
    """What a packet's payload is. Numbers are for ever."""

    STREAM = 1
    KEYFRAME = 2
    MOTION = 3
    AUDIO = 4
    PARITY = 5
    CONTROL = 6
    IDENTITY = 7


class Flags(IntFlag):
    """The four flag bits; those without a name are reserved: sent as 0, ignored when received."""

    NONE = 0
    SYNTHETIC = 1
    """The receiver generates what is seen: this is synthetic media."""
    INTRA = 2
    """The payload is decoded without an earlier one."""


_KNOWN_FLAGS = int(Flags.SYNTHETIC | Flags.INTRA)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet.

    Attributes:
        kind: what the payload is.
        flags: see `Flags`.
        reference: 0..15, id modulo 16 of the keyframe that it belongs to.
        sequence: 0..65535, one more than the packet sent before it, whatever its kind.
        pts: 0..65535, presentation time modulo 65536: ticks of the stream's time base, for AUDIO
            the number of the Opus packet.
        payload: at most `MAX_PAYLOAD` bytes.

    Raises:
        ConfigError: a field that does not fit.
    """

    kind: Kind
    flags: Flags
    reference: int
    sequence: int
    pts: int
    payload: bytes

    def __post_init__(self) -> None:
        fits = 0 <= self.reference < 16 and 0 <= self.sequence < WRAP and 0 <= self.pts < WRAP
        if not fits or not 0 <= self.flags < 16:
            raise ConfigError(
                f"a packet's reference {self.reference} must be below 16, its sequence number "
                f"{self.sequence} and pts {self.pts} below 65536 (take them modulo)"
            )
        if len(self.payload) > MAX_PAYLOAD:
            raise ConfigError(
                f"a payload of {len(self.payload)} bytes; a packet carries at most {MAX_PAYLOAD}"
            )

    def __bytes__(self) -> bytes:
        tail = self.flags << 4 | self.reference
        return _HEADER.pack(self.kind, tail, self.sequence, self.pts) + self.payload

    @classmethod
    def parse(cls, data: bytes) -> Packet:
        """Read a packet from a datagram or record, which it fills.

        Raises:
            TruncatedError: shorter than a header.
            UnsupportedError: a kind of packet that this build does not know.
            StreamError: larger than `MAX_PACKET`.
        """
        if len(data) < HEADER_BYTES:
            raise TruncatedError(
                f"a packet's header has {HEADER_BYTES} bytes; only {len(data)} are there"
            )
        if len(data) > MAX_PACKET:
            raise StreamError(f"a packet of {len(data)} bytes; at most {MAX_PACKET} are allowed")
        number, tail, sequence, pts = _HEADER.unpack_from(data)
        try:
            kind = Kind(number)
        except ValueError:
            raise UnsupportedError(f"packets of kind {number} are not known here") from None
        flags = Flags(tail >> 4 & _KNOWN_FLAGS)
        return cls(kind, flags, tail & 15, sequence, pts, bytes(data[HEADER_BYTES:]))
