"""Records: the bytes around each packet in a `.fwire` file, and how they are found after damage.

    record    0xFA | length of the packet, LEB128 in one or two bytes | packet | crc32 u32
    trailer   0x05 | entries u32 | motion packets u32 | entries x (pts i64, offset u64) |
              crc32 u32 | length of the trailer u32 | "FWIX"

All integers are little-endian. A record's CRC-32 is of its length and packet, the trailer's of all
before it from 0x05 on. The trailer ends with the file.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import DamagedError, StreamError, TruncatedError
from ..packet import MAX_PACKET

__all__ = [
    "MAX_INDEX",
    "TRAILER_FOOT",
    "IndexEntry",
    "Record",
    "RecordScanner",
    "Trailer",
    "pack_record",
    "record_overhead",
    "trailer_length",
]

MAX_INDEX = 4096
"""Most entries of an index."""
_MARK, _END, _TAIL = 0xFA, 0x05, b"FWIX"
_CRC = struct.Struct("<I")
_COUNTS = struct.Struct("<BII")
_ENTRY = struct.Struct("<qQ")
_FOOT = struct.Struct("<II4s")
TRAILER_FOOT = _FOOT.size
_CHUNK = 1 << 16
_BEGINNING = re.compile(bytes([ord("["), _MARK, _END, ord("]")]))


def pack_record(packet: bytes) -> bytes:
    """The record of a packet of at most `MAX_PACKET` bytes."""
    checked = _leb128(len(packet)) + packet
    return bytes([_MARK]) + checked + _CRC.pack(zlib.crc32(checked))


def record_overhead(packet_bytes: int) -> int:
    """Bytes that a record adds to a packet of that many bytes: mark, length and CRC."""
    return 1 + len(_leb128(packet_bytes)) + _CRC.size


def _leb128(number: int) -> bytes:
    """Unsigned LEB128 of a number below 16384."""
    return bytes([number]) if number < 128 else bytes([number & 127 | 128, number >> 7])


@dataclass(frozen=True, slots=True)
class Record:
    """A record as found: the packet's bytes, and where in the file the record begins."""

    offset: int
    packet: bytes


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
        body = _COUNTS.pack(_END, len(self.index), self.motion_packets)
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
        check, _, tail = _FOOT.unpack_from(data, len(data) - _FOOT.size)
        if data[0] != _END or tail != _TAIL or len(data) != _trailer_size(data):
            raise StreamError("the end of the file is no trailer")
        body = data[: -_FOOT.size]
        if zlib.crc32(body) != check:
            raise DamagedError("the index's checksum does not match")
        _, _, motion = _COUNTS.unpack_from(body)
        entries = (IndexEntry(*pair) for pair in _ENTRY.iter_unpack(body[_COUNTS.size :]))
        return cls(tuple(entries), motion)


def trailer_length(foot: bytes) -> int | None:
    """Length of the trailer whose last `TRAILER_FOOT` bytes these are; None if they are not."""
    if len(foot) != _FOOT.size:
        return None
    _, length, tail = _FOOT.unpack(foot)
    longest = _COUNTS.size + MAX_INDEX * _ENTRY.size + _FOOT.size
    return length if tail == _TAIL and length <= longest else None


def _trailer_size(data: bytes) -> int | None:
    """Length that the trailer at the beginning of `data` must have; None if it cannot be one."""
    if len(data) < _COUNTS.size:
        return None
    _, count, _ = _COUNTS.unpack_from(data)
    return _COUNTS.size + count * _ENTRY.size + _FOOT.size if count <= MAX_INDEX else None


class RecordScanner:
    """Iterates over the records of a file from its current position; reads forward only.

    Between damage and the next good record every byte is a candidate. That costs at most one CRC
    of `MAX_PACKET` bytes each, so even a file made to be slow is read in linear time, and memory
    is bounded by a chunk and the largest trailer.

    Args:
        file: binary, at a record; need not be seekable.
        offset: of that position, as `Record.offset` counts.

    Attributes:
        damaged: records skipped so far, as far as their lengths can still be told apart.
        truncated: the file ended without a trailer.
        trailer: once it has been reached.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file = file
        self._base = offset  # of the first byte in the buffer
        self._buffer = b""
        self._at = 0  # in the buffer
        self._ended = False
        self.damaged = 0
        self.truncated = False
        self.trailer: Trailer | None = None

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        if self.trailer is not None or self.truncated:
            raise StopIteration
        size = self._match() or self._resynchronise()
        if size is None or self.trailer is not None:
            raise StopIteration
        start = 3 if self._buffer[self._at + 1] > 127 else 2  # after the mark and the length
        packet = self._buffer[self._at + start : self._at + size - _CRC.size]
        self._at += size
        return Record(self._base + self._at - size, packet)

    def _resynchronise(self) -> int | None:
        """Go to the next good record or trailer and count what is skipped; None: there is none."""
        boundary = self._base + self._at
        claimed = self._claim()
        while self._skip_to_candidate():
            here = self._base + self._at
            if claimed is not None and claimed <= here:  # a damaged record ends where it said
                self.damaged += 1
                boundary, claimed = claimed, self._claim() if claimed == here else None
            size = self._match()
            if size is not None:
                self.damaged += boundary < here
                return size
        if claimed is not None and claimed <= self._base + self._at:
            self.damaged += 1
        self.truncated = True
        return None

    def _skip_to_candidate(self) -> bool:
        """Advance by one byte or more to the next that may begin something; False at the end."""
        self._at += 1
        while True:
            found = _BEGINNING.search(self._buffer, self._at)
            if found is not None:
                self._at = found.start()
                return True
            self._at = len(self._buffer)
            if not self._have(1):
                return False

    def _claim(self) -> int | None:
        """Offset at which the record here says that it ends."""
        size = self._record_size()
        return None if size is None else self._base + self._at + size

    def _match(self) -> int | None:
        """Size of the good record or trailer here, or None."""
        if not self._have(1):
            return None
        if self._buffer[self._at] == _END:
            return self._match_trailer()
        size = self._record_size()
        if size is None or not self._have(size):
            return None
        end = self._at + size - _CRC.size
        check = _CRC.unpack_from(self._buffer, end)[0]
        good = zlib.crc32(memoryview(self._buffer)[self._at + 1 : end]) == check
        return size if good else None

    def _match_trailer(self) -> int | None:
        self._have(_COUNTS.size)
        size = _trailer_size(self._buffer[self._at : self._at + _COUNTS.size])
        # Only what ends with the file is one, which keeps the checks few.
        if size is None or not self._have(size) or self._have(size + 1):
            return None
        try:
            self.trailer = Trailer.parse(self._buffer[self._at : self._at + size])
        except StreamError:
            return None
        return size

    def _record_size(self) -> int | None:
        """Size that the record here claims; None if it is none."""
        self._have(3)
        head = self._buffer[self._at : self._at + 3]
        if len(head) < 2 or head[0] != _MARK:
            return None
        length, width = head[1], 1
        if length > 127:
            if len(head) < 3 or head[2] > 127:
                return None
            length, width = length & 127 | head[2] << 7, 2
        return 1 + width + length + _CRC.size if length <= MAX_PACKET else None

    def _have(self, count: int) -> bool:
        """Read on until `count` bytes are there; False where the file ends before."""
        while len(self._buffer) - self._at < count and not self._ended:
            chunk = self._file.read(_CHUNK)
            self._ended = not chunk
            self._base += self._at
            self._buffer = self._buffer[self._at :] + chunk
            self._at = 0
        return len(self._buffer) - self._at >= count
