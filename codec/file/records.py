"""Records and trailer: the bytes around the packets of a `.fwire` file.

    record    0xFA | length of the packet, LEB128 in one or two bytes | packet | crc32 u32
    trailer   0x05 | entries u32 | motion packets u32 | entries x (pts i64, offset u64) |
              crc32 u32 | length of the trailer u32 | "FWIX"

All integers are little-endian. A record's CRC-32 covers its length and packet; the trailer's covers
everything from 0x05 up to itself. The file ends where the trailer ends. `scanner.py` finds records.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from ..errors import DamagedError, StreamError, TruncatedError
from ..packet import MAX_PACKET

__all__ = [
    "CRC_BYTES",
    "MAX_INDEX",
    "RECORD_MARK",
    "TRAILER_FOOT",
    "TRAILER_MARK",
    "IndexEntry",
    "Trailer",
    "claimed_record",
    "claimed_trailer",
    "pack_record",
    "record_overhead",
    "trailer_length",
]

MAX_INDEX = 4096
"""Most entries of an index."""
RECORD_MARK, TRAILER_MARK, _TAIL = 0xFA, 0x05, b"FWIX"
CRC_BYTES = 4
_COUNTS = struct.Struct("<BII")
_ENTRY = struct.Struct("<qQ")
_FOOT = struct.Struct("<II4s")
TRAILER_FOOT = _FOOT.size


def pack_record(packet: bytes) -> bytes:
    """The record of a packet of at most `MAX_PACKET` bytes."""
    checked = _leb128(len(packet)) + packet
    return bytes([RECORD_MARK]) + checked + zlib.crc32(checked).to_bytes(CRC_BYTES, "little")


def record_overhead(packet_bytes: int) -> int:
    """Bytes that a record adds to a packet of that many bytes: mark, length and CRC."""
    return 1 + len(_leb128(packet_bytes)) + CRC_BYTES


def _leb128(number: int) -> bytes:
    """A number below 16384 as unsigned LEB128."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


def claimed_record(head: bytes) -> tuple[int, int] | None:
    """What the first three bytes of a record say of it.

    Args:
        head: three bytes, or fewer at the end of a file.

    Returns:
        Where its packet begins and how long the whole record is, in bytes; None if no record
        begins so.
    """
    if len(head) < 2 or head[0] != RECORD_MARK:
        return None
    length, start = head[1], 2
    if length > 127:
        if len(head) < 3 or head[2] > 127:
            return None
        length, start = length & 127 | head[2] << 7, 3
    return (start, start + length + CRC_BYTES) if length <= MAX_PACKET else None


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """A place to start decoding from.

    Attributes:
        pts: a keyframe's full presentation time in ticks.
        offset: in bytes, of the record of the STREAM packet before it.
    """

    pts: int
    offset: int


@dataclass(frozen=True, slots=True)
class Trailer:
    """The end of a file.

    Attributes:
        index: keyframes in the order of the file, at most `MAX_INDEX`.
        motion_packets: how many MOTION packets the file has.
    """

    index: tuple[IndexEntry, ...]
    motion_packets: int

    def __bytes__(self) -> bytes:
        body = _COUNTS.pack(TRAILER_MARK, len(self.index), self.motion_packets)
        body += b"".join(_ENTRY.pack(entry.pts, entry.offset) for entry in self.index)
        return body + _FOOT.pack(zlib.crc32(body), len(body) + _FOOT.size, _TAIL)

    @classmethod
    def parse(cls, data: bytes) -> Trailer:
        """Inverse of `bytes()`.

        Raises:
            TruncatedError: shorter than it says.
            StreamError: no trailer.
            DamagedError: its checksum does not match.
        """
        if len(data) < _COUNTS.size + _FOOT.size:
            raise TruncatedError(f"a trailer of {len(data)} bytes")
        check, length, tail = _FOOT.unpack_from(data, len(data) - _FOOT.size)
        if tail != _TAIL or not len(data) == length == claimed_trailer(data):
            raise StreamError("the end of the file is no trailer")
        body = data[: -_FOOT.size]
        if zlib.crc32(body) != check:
            raise DamagedError("the index's checksum does not match")
        _, _, motion = _COUNTS.unpack_from(body)
        entries = (IndexEntry(*pair) for pair in _ENTRY.iter_unpack(body[_COUNTS.size :]))
        return cls(tuple(entries), motion)


def trailer_length(foot: bytes) -> int | None:
    """Length of the trailer that ends with these `TRAILER_FOOT` bytes; None if none does."""
    if len(foot) != _FOOT.size:
        return None
    _, length, tail = _FOOT.unpack(foot)
    longest = _COUNTS.size + MAX_INDEX * _ENTRY.size + _FOOT.size
    return length if tail == _TAIL and length <= longest else None


def claimed_trailer(head: bytes) -> int | None:
    """Length of the trailer that begins with these bytes; None if no trailer begins so."""
    if len(head) < _COUNTS.size:
        return None
    mark, count, _ = _COUNTS.unpack_from(head)
    if mark != TRAILER_MARK or count > MAX_INDEX:
        return None
    return _COUNTS.size + int(count) * _ENTRY.size + _FOOT.size
