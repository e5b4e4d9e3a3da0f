"""The index in the trailer says where one can join. Without it the file is read once."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import StreamError
from facewire.codec.file.container import HEAD_BYTES, IndexEntry, Reader
from facewire.codec.file.records import MAX_INDEX, Trailer, pack_record
from facewire.codec.packet import Flags, Kind, Packet

from ..makers import make_keyframe
from ..streams import ENDS, FILE, HEADER, PACKETS, make_file, read


def test_a_trailer_that_claims_a_gigabyte() -> None:
    body = b"\x05" + struct.pack("<II", 1 << 26, 1)
    evil = body + struct.pack("<II4s", zlib.crc32(body), 1 << 30, b"FWIX")
    packets, reader = read(FILE[: ENDS[-1]] + evil)
    assert packets == PACKETS
    assert reader.truncated
    assert len(reader.index) == 3


def test_index_and_seek() -> None:
    reader = Reader(io.BytesIO(FILE))
    streams = [n for n, packet in enumerate(PACKETS) if packet.kind == Kind.STREAM]
    assert reader.index == tuple(
        IndexEntry(5 * n, ENDS[stream]) for n, stream in enumerate(streams)
    )
    for pts, keyframe in [(0, 0), (4, 0), (5, 1), (9, 1), (10, 2), (10**9, 2), (-5, 0)]:
        reader.seek(pts)
        assert list(reader) == PACKETS[streams[keyframe] :]


def test_every_byte_of_the_trailer_flipped() -> None:
    whole = Reader(io.BytesIO(FILE)).index
    for at in range(ENDS[-1], len(FILE)):
        data = bytearray(FILE)
        data[at] ^= 0x10
        packets, reader = read(bytes(data))
        assert packets == PACKETS
        assert reader.damaged == 0
        assert reader.truncated or at >= len(FILE) - 8  # its length is of use from the end only
        assert reader.index == whole  # from one pass over the file
        reader.seek(7)
        assert next(reader).kind == Kind.STREAM


@pytest.mark.parametrize("offset", [0, HEAD_BYTES - 1, len(FILE), 1 << 63, (1 << 64) - 1])
def test_an_index_that_points_outside_is_not_used(offset: int) -> None:
    entries = tuple(IndexEntry(pts, offset) for pts in (0, 5))
    data = FILE[: ENDS[-1]] + bytes(Trailer(entries, 7))
    reader = Reader(io.BytesIO(data))
    assert reader.index == Reader(io.BytesIO(FILE)).index
    for pts in (-(1 << 70), 0, 7, 1 << 70):
        reader.seek(pts)
        assert next(reader).kind == Kind.STREAM


@pytest.mark.parametrize("offset", [HEAD_BYTES + 1, ENDS[2] + 7, ENDS[-1] - 1])
def test_an_index_that_points_into_a_record_does_no_harm(offset: int) -> None:
    reader = Reader(io.BytesIO(FILE[: ENDS[-1]] + bytes(Trailer((IndexEntry(0, offset),), 7))))
    reader.seek(0)
    assert all(packet in PACKETS for packet in reader)


def test_rebuilding_the_index_does_not_move_the_reader() -> None:
    reader = Reader(io.BytesIO(FILE[:-1]))
    first = [next(reader) for _ in range(4)]
    assert len(reader.index) == 3
    assert first + list(reader) == PACKETS


def test_sound_between_stream_and_keyframe() -> None:
    sound = Packet(Kind.AUDIO, Flags.NONE, 0, 0, 0, b"x")
    keyframe = make_keyframe().to_packets(0)
    data = make_file([sound, HEADER.to_packet(0), sound, *keyframe])
    assert Reader(io.BytesIO(data)).index[0].offset == HEAD_BYTES + len(pack_record(bytes(sound)))


def test_one_cannot_join_at_a_keyframe_without_stream_packet() -> None:
    data = make_file(make_keyframe().to_packets(0))
    assert Reader(io.BytesIO(data)).index == ()


def test_no_keyframe_at_all() -> None:
    reader = Reader(io.BytesIO(make_file([PACKETS[-1]])))
    reader.seek(100)
    assert list(reader) == [PACKETS[-1]]
    assert list(Reader(io.BytesIO(make_file([])))) == []


def test_a_long_index_is_thinned() -> None:
    packets: list[Packet] = []
    for pts in range(MAX_INDEX + 100):
        packets += [HEADER.to_packet(0), make_keyframe(0, pts, 10).to_packets(0)[0]]
    index = Reader(io.BytesIO(make_file(packets))).index
    assert [entry.pts for entry in index] == list(range(0, MAX_INDEX + 100, 2))


@given(
    st.lists(
        st.builds(IndexEntry, st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 1 << 60)),
        max_size=9,
    )
)
def test_trailer_round_trip(entries: list[IndexEntry]) -> None:
    trailer = Trailer(tuple(entries), 7)
    assert Trailer.parse(bytes(trailer)) == trailer
    for length in range(len(bytes(trailer))):
        with pytest.raises(StreamError):
            Trailer.parse(bytes(trailer)[:length])
