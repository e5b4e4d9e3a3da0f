from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.errors import (
    ConfigError,
    DamagedError,
    StreamError,
    TruncatedError,
    UnsupportedError,
)
from facewire.codec.file import scanner
from facewire.codec.file.container import HEAD_BYTES, Reader, Writer
from facewire.codec.file.records import claimed_record, pack_record, record_overhead
from facewire.codec.packet import MAX_PAYLOAD, Flags, Kind, Packet

from ..streams import ENDS, FILE, HEADER, PACKETS, make_file, read


class Pipe(io.RawIOBase):
    """A file that is not seekable and gives a few bytes at a time."""

    def __init__(self, data: bytes, step: int = 7) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1) -> bytes:
        return self._data.read(self._step if size < 0 else min(size, self._step))


def test_round_trip() -> None:
    packets, reader = read(FILE)
    assert packets == PACKETS
    assert (reader.damaged, reader.unknown, reader.truncated) == (0, 0, False)
    assert reader.motion_packets == 15
    assert list(reader) == []  # it stays at the end


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_through_a_pipe(step: int) -> None:
    reader = Reader(Pipe(FILE, step))  # type: ignore[arg-type]
    assert reader.motion_packets is None
    assert list(reader) == PACKETS
    assert reader.motion_packets == 15
    assert not reader.truncated
    pipe = Reader(Pipe(FILE[:-1], step))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="pipe"):
        pipe.seek(0)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_any_payloads(payloads: list[bytes]) -> None:
    packets = [Packet(Kind.CONTROL, Flags.NONE, 0, 0, 0, payload) for payload in payloads]
    assert read(make_file(packets))[0] == packets


@pytest.mark.parametrize("size", [0, 121, 122, 127, 128, MAX_PAYLOAD])
def test_lengths_around_the_second_byte(size: int) -> None:
    packet = Packet(Kind.AUDIO, Flags.NONE, 0, 0, 0, b"\xfa" * size)
    assert read(make_file([packet, packet]))[0] == [packet, packet]
    overhead = len(pack_record(bytes(packet))) - len(bytes(packet))
    assert overhead == record_overhead(len(bytes(packet))) == (6 if size < 122 else 7)


def test_a_stream_that_begins_in_the_middle_of_a_file() -> None:
    file = io.BytesIO(b"something" + FILE)
    file.seek(9)
    reader = Reader(file)
    reader.seek(7)
    assert next(reader) == PACKETS[PACKETS.index(HEADER.to_packet(8))]


def test_head_is_as_documented() -> None:
    assert FILE[:8] == b"\x93FWIRE\x01\x00"
    assert FILE[8:12] == struct.pack("<I", zlib.crc32(FILE[:8]))


def test_cut_at_every_byte() -> None:
    """All whole records before the cut are read, nothing else is, and the cut is reported."""
    for length in range(len(FILE)):
        if length < HEAD_BYTES:
            with pytest.raises((TruncatedError, StreamError)):
                Reader(io.BytesIO(FILE[:length]))
            continue
        packets, reader = read(FILE[:length])
        whole = sum(end <= length for end in ENDS[1:])
        assert packets == PACKETS[:whole]
        assert reader.truncated
        assert reader.damaged == 0
        assert reader.motion_packets is None


def test_each_byte_of_the_head_flipped() -> None:
    for at in range(HEAD_BYTES):
        for bit in range(8):
            data = bytearray(FILE)
            data[at] ^= 1 << bit
            with pytest.raises(StreamError) as caught:
                Reader(io.BytesIO(bytes(data)))
            assert (type(caught.value) is StreamError) == (at < 6)


def test_each_byte_of_a_record_flipped() -> None:
    """Whichever byte is damaged, one record is lost and all others are read."""
    damaged = PACKETS.index(next(p for p in PACKETS if p.kind == Kind.MOTION))
    expected = PACKETS[:damaged] + PACKETS[damaged + 1 :]
    for at in range(ENDS[damaged], ENDS[damaged + 1]):
        for change in (1, 0x80, 0xFF):
            data = bytearray(FILE)
            data[at] ^= change
            packets, reader = read(bytes(data))
            assert packets == expected
            assert (reader.damaged, reader.truncated) == (1, False)


@pytest.mark.parametrize("first", [0, 3, len(PACKETS) - 3])
def test_damaged_neighbours_are_counted_one_by_one(first: int) -> None:
    data = bytearray(FILE)
    for record in range(first, first + 3):
        data[ENDS[record + 1] - 1] ^= 0xFF
    packets, reader = read(bytes(data))
    assert packets == PACKETS[:first] + PACKETS[first + 3 :]
    assert (reader.damaged, reader.truncated) == (3, False)


def test_the_last_record_damaged_and_the_trailer_gone() -> None:
    data = bytearray(FILE[: ENDS[-1]])
    data[-1] ^= 1
    packets, reader = read(bytes(data))
    assert packets == PACKETS[:-1]
    assert (reader.damaged, reader.truncated) == (1, True)


def test_bytes_missing_in_the_middle() -> None:
    cut = FILE[: ENDS[4] + 10] + FILE[ENDS[6] - 20 :]
    packets, reader = read(cut)
    assert packets == PACKETS[:4] + PACKETS[6:]
    assert reader.damaged == 1  # how many were there can no longer be told


def test_garbage_between_records() -> None:
    garbage = random.Random(4).randbytes(50_000)
    packets, reader = read(FILE[: ENDS[4]] + garbage + FILE[ENDS[4] :])
    assert packets == PACKETS
    assert reader.damaged >= 1


@settings(max_examples=80)
@given(st.randoms(use_true_random=False))
def test_any_damage_behind_the_head(rng: random.Random) -> None:
    data = bytearray(FILE)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(HEAD_BYTES, len(data))
        what = rng.randrange(3)
        if what == 0:
            data[at] ^= rng.randrange(1, 256)
        elif what == 1:
            del data[at : at + rng.randrange(200)]
        else:
            data[at:at] = rng.randbytes(rng.randrange(200))
        if len(data) <= HEAD_BYTES + 1:
            return
    packets, reader = read(bytes(data))
    assert len(packets) <= len(PACKETS)
    kept = iter(PACKETS)
    assert all(packet in kept for packet in packets)  # a subsequence: nothing is made up
    assert len(packets) + reader.damaged > 0 or reader.truncated
    reader.seek(6)
    assert all(packet in PACKETS for packet in reader)


@settings(max_examples=150)
@given(st.binary(max_size=400))
def test_any_bytes_after_a_head(data: bytes) -> None:
    packets, reader = read(FILE[:HEAD_BYTES] + data)
    assert packets == [] or len(data) > 12
    reader.seek(0)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_stream_error(data: bytes) -> None:
    with pytest.raises(StreamError):
        Reader(io.BytesIO(data))


def test_foreign_version() -> None:
    head = b"\x93FWIRE\x02\x00"
    with pytest.raises(UnsupportedError, match="version 2"):
        Reader(io.BytesIO(head + struct.pack("<I", zlib.crc32(head)) + FILE[12:]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", StreamError), (b"\x93FW", TruncatedError), (b"\0" * 100, StreamError)],
)
def test_no_head(data: bytes, kind: type[StreamError]) -> None:
    with pytest.raises(kind):
        Reader(io.BytesIO(data))
    if data[:1] != b"\x93":
        with pytest.raises(StreamError, match=r"not a \.fwire file"):
            Reader(io.BytesIO(data))


def test_head_with_a_wrong_checksum() -> None:
    with pytest.raises(DamagedError, match="checksum"):
        Reader(io.BytesIO(FILE[:8] + bytes(4) + FILE[12:]))


def test_a_record_that_is_whole_but_no_packet() -> None:
    data = FILE[: ENDS[2]] + pack_record(b"\x03\0") + pack_record(b"") + FILE[ENDS[2] :]
    packets, reader = read(data)
    assert packets == PACKETS
    assert (reader.damaged, reader.unknown) == (2, 0)


def test_packets_of_a_later_kind_are_skipped() -> None:
    data = FILE[: ENDS[2]] + pack_record(b"\x63\0\0\0\0\0new") + FILE[ENDS[2] :]
    packets, reader = read(data)
    assert packets == PACKETS
    assert (reader.damaged, reader.unknown) == (0, 1)


@pytest.mark.parametrize(
    "length", [b"\xff\xff\xff\xff\x07", b"\xff\x7f", b"\x81\x20", b"\x80\x80\x80\x80\x04"]
)
def test_a_length_of_a_gigabyte(length: bytes) -> None:
    """A length has two bytes at most, and one above the cap counts as damage."""
    evil = b"\xfa" + length + bytes(50)
    tracemalloc.start()
    packets, reader = read(FILE[: ENDS[3]] + evil + FILE[ENDS[3] :])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert packets == PACKETS
    assert reader.damaged == 1
    assert peak < 2 << 20


def test_memory_does_not_grow_with_the_file() -> None:
    class Endless(io.RawIOBase):
        """Three megabytes of records, then three of garbage."""

        left = 100

        def seekable(self) -> bool:
            return False

        def read(self, size: int = -1) -> bytes:
            if self.left == 100:
                self.left -= 1
                return FILE[:HEAD_BYTES]
            self.left -= 1
            return record * 500 if self.left > 50 else garbage if self.left > 0 else b""

    record, garbage = pack_record(bytes(PACKETS[-1])), bytes(60_000)
    tracemalloc.start()
    reader = Reader(Endless())  # type: ignore[arg-type]
    assert sum(1 for _ in reader) == 500 * 48
    assert reader.truncated
    reader_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert reader_peak < 1 << 20


@pytest.mark.parametrize(
    "pattern",
    [
        b"\xfa",
        b"\x05",
        bytes(100),
        b"\xfa\xff\x1f\x01",
        b"\xfa\x80\x20",
        b"\x05\x00\x00\x00\x00",
        b"\x05\xff\x0f\x00\x00FWIX",
    ],
)
def test_a_file_made_to_be_slow(pattern: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the places that are tried, since times on shared machines say little."""
    tried = 0

    def counted(head: bytes) -> tuple[int, int] | None:
        nonlocal tried
        tried += 1
        return claimed_record(head)

    monkeypatch.setattr(scanner, "claimed_record", counted)
    monkeypatch.setattr(scanner, "MAX_FAILURES", 20_000)
    data = pattern * ((1 << 20) // len(pattern))
    reading = scanner.RecordScanner(io.BytesIO(data), 0)
    assert list(reading) == []
    assert reading.truncated
    assert tried <= 2 * scanner.MAX_FAILURES + 2


def test_a_mark_that_repeats_is_no_place_to_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """100 MB of marks took five minutes once."""
    monkeypatch.setattr(scanner, "MAX_FAILURES", 1)
    packets, reader = read(FILE[: ENDS[4]] + b"\xfa" * (4 << 20) + FILE[ENDS[4] :])
    assert packets == PACKETS
    assert (reader.damaged, reader.truncated) == (1, False)


def test_reading_ends_where_too_much_is_damaged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each good record allows the search to fail once more."""
    monkeypatch.setattr(scanner, "MAX_FAILURES", 30)
    bad = b"\xfa\x00" * 10
    data = b"".join(FILE[ENDS[n] : ENDS[n + 1]] + bad for n in range(2))
    packets, reader = read(FILE[:HEAD_BYTES] + data + FILE[ENDS[2] :])
    assert packets == PACKETS
    assert not caplog.records
    packets, reader = read(FILE[:HEAD_BYTES] + data + bad * 4 + FILE[ENDS[2] :])
    assert packets == PACKETS[:2]
    assert reader.truncated
    assert "too damaged" in caplog.text


def test_writing_after_close() -> None:
    writer = Writer(io.BytesIO())
    writer.close()
    writer.close()
    with pytest.raises(ConfigError, match="closed"):
        writer.write(PACKETS[0])
