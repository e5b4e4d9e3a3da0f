"""`.fwire` files: a head, records with a packet each, and a trailer with the index.

    head    magic "\\x93FWIRE" | version u8 | reserved u8 (0) | crc32 u32 of the 8 bytes before

`records.py` describes records and trailer. A file that was cut off has no trailer; it is read up to
the cut. Damaged records are skipped and counted.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import ConfigError, DamagedError, StreamError, TruncatedError, UnsupportedError
from ..keyframe import fragment_pts
from ..packet import Kind, Packet
from .records import (
    MAX_INDEX,
    TRAILER_FOOT,
    IndexEntry,
    Trailer,
    pack_record,
    record_overhead,
    trailer_length,
)
from .scanner import RecordScanner

__all__ = [
    "HEAD_BYTES",
    "VERSION",
    "IndexEntry",
    "Reader",
    "Writer",
    "record_overhead",
]

VERSION = 1
MAGIC = b"\x93FWIRE"
_HEAD = struct.Struct("<6sBBI")
HEAD_BYTES = _HEAD.size


class Writer:
    """Writes packets to a binary file object. It does not close that object.

    Args:
        file: written to from its current position. It need not be seekable.

    Attributes:
        bytes_written: bytes written so far, head and trailer included.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._index = _IndexBuilder()
        self._closed = False
        self.bytes_written = 0
        head = MAGIC + bytes([VERSION, 0])
        self._put(head + struct.pack("<I", zlib.crc32(head)))

    def write(self, packet: Packet) -> None:
        """Append a packet. Raises `ConfigError` if the writer was closed."""
        if self._closed:
            raise ConfigError("the .fwire file is closed; nothing can be added")
        self._index.add(packet, self.bytes_written)
        self._put(pack_record(bytes(packet)))

    def close(self) -> None:
        """Write the trailer with the index. Without it the file can still be read."""
        if not self._closed:
            self._closed = True
            self._put(bytes(self._index.trailer()))

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.bytes_written += len(data)


class Reader:
    """Iterates over the packets of a `.fwire` file. Memory does not grow with the file.

    Args:
        file: a binary file object, read from its current position. Only `index` and `seek` need
            it to be seekable.

    Attributes:
        motion_packets: number of MOTION packets that the trailer states. None if the trailer is
            missing or damaged, or if the file is not seekable and its end was not reached yet.

    Raises:
        TruncatedError: the file is shorter than its head.
        StreamError: it is not a `.fwire` file.
        DamagedError: the head's checksum does not match.
        UnsupportedError: the file has a version that this build does not read.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seekable = file.seekable()
        self._start = file.tell() if self._seekable else 0
        _check_head(_read_exactly(file, HEAD_BYTES))
        trailer = self._read_trailer() if self._seekable else None
        self._index = None if trailer is None else trailer.index
        self.motion_packets = None if trailer is None else trailer.motion_packets
        self._damaged = 0
        self._unknown = 0
        self._scanner = self._scan_from(HEAD_BYTES)

    def __iter__(self) -> Iterator[Packet]:
        return self

    def __next__(self) -> Packet:
        for record in self._scanner:
            try:
                return Packet.parse(record.packet)
            except UnsupportedError:
                self._unknown += 1
            except StreamError:
                self._damaged += 1
        if self._scanner.trailer is not None:
            self.motion_packets = self._scanner.trailer.motion_packets
        raise StopIteration

    @property
    def damaged(self) -> int:
        """Records skipped so far because their checksum was wrong or they held no packet."""
        return self._damaged + self._scanner.damaged

    @property
    def unknown(self) -> int:
        """Undamaged packets skipped so far because this build does not know their kind."""
        return self._unknown

    @property
    def truncated(self) -> bool:
        """True once the end of the file was reached and no trailer was found there."""
        return self._scanner.truncated

    @property
    def index(self) -> tuple[IndexEntry, ...]:
        """Keyframes from which one can join, in the order of the file.

        They come from the trailer. If that is missing, damaged, or points outside the file, the
        whole file is read once instead.

        Raises:
            ConfigError: the file is not seekable.
        """
        if self._index is None:
            self._index = self._rebuild_index()
        return self._index

    def seek(self, pts: int) -> None:
        """Continue with the STREAM packet of the last keyframe at or before a time.

        If all keyframes are later, reading continues at the first record of the file.

        Args:
            pts: full presentation time in ticks.

        Raises:
            ConfigError: the file is not seekable.
        """
        before = [entry for entry in self.index if entry.pts <= pts]
        offset = max(before, key=lambda entry: entry.pts).offset if before else HEAD_BYTES
        self._damaged += self._scanner.damaged
        self._scanner = self._scan_from(offset)

    def _scan_from(self, offset: int) -> RecordScanner:
        if self._seekable:
            self._file.seek(self._start + offset)
        return RecordScanner(self._file, offset)

    def _read_trailer(self) -> Trailer | None:
        end = self._file.seek(0, os.SEEK_END)
        if end - self._start < HEAD_BYTES + TRAILER_FOOT:
            return None
        self._file.seek(end - TRAILER_FOOT)
        length = trailer_length(_read_exactly(self._file, TRAILER_FOOT))
        if length is None or length > end - self._start - HEAD_BYTES:
            return None
        self._file.seek(end - length)
        try:
            trailer = Trailer.parse(_read_exactly(self._file, length))
        except StreamError:
            return None
        inside = range(HEAD_BYTES, end - self._start - length)
        return trailer if all(entry.offset in inside for entry in trailer.index) else None

    def _rebuild_index(self) -> tuple[IndexEntry, ...]:
        if not self._seekable:
            raise ConfigError("to jump in a .fwire file it must be a file, not a pipe")
        position = self._file.tell()
        builder = _IndexBuilder()
        for record in self._scan_from(HEAD_BYTES):
            try:
                builder.add(Packet.parse(record.packet), record.offset)
            except StreamError:
                continue
        self._file.seek(position)
        return builder.trailer().index


class _IndexBuilder:
    """Collects the keyframes from which one can join: those that follow a STREAM packet.

    When there are more than `MAX_INDEX`, it keeps every second one.
    """

    def __init__(self) -> None:
        self._entries: list[IndexEntry] = []
        self._stride = 1
        self._keyframes = 0
        self._motion = 0
        self._stream_at: int | None = None

    def add(self, packet: Packet, offset: int) -> None:
        pts = fragment_pts(packet)
        if pts is not None and self._stream_at is not None:
            self._add_keyframe(pts, self._stream_at)
        self._motion += packet.kind == Kind.MOTION
        if packet.kind == Kind.STREAM:
            self._stream_at = offset
        elif packet.kind not in (Kind.AUDIO, Kind.IDENTITY):  # these may stand between the two
            self._stream_at = None

    def trailer(self) -> Trailer:
        return Trailer(tuple(self._entries), self._motion)

    def _add_keyframe(self, pts: int, offset: int) -> None:
        if self._keyframes % self._stride == 0:
            self._entries.append(IndexEntry(pts, offset))
            if len(self._entries) > MAX_INDEX:
                del self._entries[1::2]
                self._stride *= 2
        self._keyframes += 1


def _read_exactly(file: BinaryIO, count: int) -> bytes:
    """`count` bytes, or fewer at the end of the file. A pipe may give them in several reads."""
    data = b""
    while len(data) < count:
        chunk = file.read(count - len(data))
        if not chunk:
            break
        data += chunk
    return data


def _check_head(head: bytes) -> None:
    if not MAGIC.startswith(head[: len(MAGIC)]) or not head:
        raise StreamError("this is not a .fwire file: it does not begin with the magic bytes")
    if len(head) < HEAD_BYTES:
        raise TruncatedError(
            f"a .fwire file begins with {HEAD_BYTES} bytes; this one ends after {len(head)}"
        )
    _, version, _, check = _HEAD.unpack(head)
    if zlib.crc32(head[:8]) != check:
        raise DamagedError("the head of the .fwire file is damaged: its checksum does not match")
    if version != VERSION:
        raise UnsupportedError(
            f"a .fwire file of version {version}; this build reads {VERSION}, a newer facewire "
            "may read it"
        )
