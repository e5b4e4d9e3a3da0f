"""`RecordScanner`: reads the records of a `.fwire` file one after the other, past any damage."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from ..errors import StreamError
from ..packet import MAX_PACKET
from .records import (
    CRC_BYTES,
    MAX_INDEX,
    RECORD_MARK,
    TRAILER_MARK,
    Trailer,
    claimed_record,
    claimed_trailer,
)

__all__ = ["MAX_FAILURES", "Record", "RecordScanner"]

MAX_FAILURES = 200_000
"""How many more places than good records may look like a record and not be one. In random bytes
that many come in 80 MB; in bytes made to be slow they cost about a second."""
_CHUNK = 1 << 16
_BLOCK = 1 << 14
_BEGINNING = 5  # bytes by which a beginning is recognised; records and trailers are longer
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """A record as found: the packet's bytes, and where in the file the record begins."""

    offset: int
    packet: bytes


class RecordScanner:
    """Iterates over the records of a file from its current position; reads forward only.

    After damage it looks for the next place where a good record or the trailer begins. Time is
    linear in the size of the file, with `MAX_FAILURES` to bound what a hostile file may cost;
    memory is bounded by a chunk and the largest trailer.

    Args:
        file: binary, at a record; need not be seekable.
        offset: of that position in the file, from which `Record.offset` counts.

    Attributes:
        damaged: records skipped so far. Where lengths were damaged too, a gap counts as one.
        truncated: the file ended without a trailer, or is damaged beyond `MAX_FAILURES`.
        trailer: the trailer, once it has been reached.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._window = _Window(file, offset)
        self._beginnings: list[int] = []  # known places to try, the nearest one last
        self._searched = offset  # they are known up to here
        self._failures = 0
        self.damaged = 0
        self.truncated = False
        self.trailer: Trailer | None = None

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        if self.trailer is not None or self.truncated:
            raise StopIteration
        found = self._read() or self._resynchronise()
        if found is None:
            raise StopIteration
        if isinstance(found, Trailer):
            self.trailer = found
            raise StopIteration
        self._failures = max(self._failures - 1, 0)
        return found

    def _read(self) -> Record | Trailer | None:
        """The good record or trailer at the current position; None if there is none."""
        return self._read_record() or self._read_trailer()

    def _read_record(self) -> Record | None:
        window = self._window
        claim = claimed_record(window.peek(3))
        if claim is None or not window.have(claim[1]):
            return None
        start, size = claim
        data = window.peek(size)
        end = size - CRC_BYTES
        if zlib.crc32(data[1:end]) != int.from_bytes(data[end:], "little"):
            return None
        record = Record(window.position, data[start:end])
        window.move_to(window.position + size)
        return record

    def _read_trailer(self) -> Trailer | None:
        size = claimed_trailer(self._window.peek(9))
        # It must end with the file: few places have to be checked, then.
        if size is None or not self._window.have(size) or self._window.have(size + 1):
            return None
        try:
            return Trailer.parse(self._window.peek(size))
        except StreamError:
            return None

    def _resynchronise(self) -> Record | Trailer | None:
        """The next good record or trailer; None if there is none. Counts what is skipped."""
        end = self._end_of_damaged()
        skipped = int(end is not None)
        while self._failures < MAX_FAILURES and self._next_beginning():
            here = self._window.position
            found = self._read()
            if found is not None:
                self.damaged += max(skipped, 1)
                return found
            self._failures += 1
            if here == end:  # where the damaged record before it ends: another damaged record
                end = self._end_of_damaged()
                skipped += end is not None
        if self._failures >= MAX_FAILURES:
            where = self._window.position
            _log.warning("a .fwire file is too damaged to be read past byte %d", where)
        self.damaged += skipped
        self.truncated = True
        return None

    def _end_of_damaged(self) -> int | None:
        """Where the record here says that it ends; None if that is no place in the file."""
        claim = claimed_record(self._window.peek(3))
        if claim is None or not self._window.have(claim[1]):
            return None
        return self._window.position + claim[1]

    def _next_beginning(self) -> bool:
        """Go to the next place that looks like the beginning of something; False at the end."""
        window, places = self._window, self._beginnings
        after = window.position + 1
        while True:
            while places and places[-1] < after:
                places.pop()
            if places:
                window.move_to(places[-1])
                return True
            window.move_to(max(after, self._searched))
            if not window.have(_BEGINNING):
                return False
            block = window.peek(_BLOCK)
            places += [window.position + place for place in reversed(_beginnings(block))]
            self._searched = window.position + len(block) - _BEGINNING + 1


def _beginnings(data: bytes) -> list[int]:
    """Offsets, rising, at which a record or trailer may begin, by its first `_BEGINNING` bytes."""
    count = len(data) - _BEGINNING + 1
    all_bytes = np.frombuffer(data, np.uint8)
    first, second, third, fourth, fifth = (all_bytes[n : count + n] for n in range(_BEGINNING))
    record = (first == RECORD_MARK) & ((second < 128) | (third <= MAX_PACKET >> 7))
    trailer = (first == TRAILER_MARK) & (third <= MAX_INDEX >> 8) & (fourth == 0) & (fifth == 0)
    places: list[int] = np.flatnonzero(record | trailer).tolist()
    return places


class _Window:
    """A file that is read forwards, with the bytes from the current position on at hand.

    Args:
        file: binary.
        offset: of its current position.

    Attributes:
        position: offset in the file of the current byte.
    """

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self._file = file
        self._start = offset  # of the buffer
        self._buffer = b""
        self._ended = False
        self.position = offset

    def have(self, count: int) -> bool:
        """Read on until `count` bytes are at hand; False where the file ends before."""
        at = self.position - self._start
        while len(self._buffer) - at < count and not self._ended:
            chunk = self._file.read(_CHUNK)
            self._ended = not chunk
            self._buffer = self._buffer[at:] + chunk
            self._start, at = self.position, 0
        return len(self._buffer) - at >= count

    def peek(self, count: int) -> bytes:
        """The next `count` bytes, fewer where the file ends before."""
        self.have(count)
        at = self.position - self._start
        return self._buffer[at : at + count]

    def move_to(self, position: int) -> None:
        """Go forward."""
        self.position = position
