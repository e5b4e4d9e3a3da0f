"""RTP: each datagram comes back as it was, and no sequence number is used twice."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.call.line.rtp import HEADER_BYTES, RtpReader, RtpWriter, source_of
from facewire.codec.errors import StreamError, TruncatedError


def datagram(session: int, number: int, sent: int, rest: bytes = b"\0\0rest") -> bytes:
    return struct.pack("<BHHH", 1, session, number % 65536, sent) + rest


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_anything_comes_back(datagrams: list[bytes]) -> None:
    writer, reader = RtpWriter(), RtpReader()
    assert [reader.read(writer.write(data)) for data in datagrams] == datagrams


@given(
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.lists(st.integers(-3, 40000), max_size=40),
    st.integers(0, 65535),
)
def test_numbers(session: int, first: int, steps: list[int], sent: int) -> None:
    writer, reader = RtpWriter(), RtpReader()
    number, seen = first, set()
    for step in [0, *steps]:
        number += step
        data = datagram(session, number, sent)
        packet = writer.write(data)
        assert reader.read(packet) == data
        if packet[1] == 96:
            assert len(packet) == HEADER_BYTES + len(data) - 7
        mark = (source_of(packet), packet[2:4], packet[1])
        if steps and max(steps) < 1000:  # within one round of 2^16
            assert mark not in seen
        seen.add(mark)


def test_a_connection_begins_at_0() -> None:
    """libsrtp takes a first packet above 2^15 for one before a wrap."""
    writer = RtpWriter()
    assert [writer.write(datagram(9, n, 0))[2:4] for n in (65000, 65001, 65600)] == [
        b"\0\0",
        b"\0\x01",
        struct.pack("!H", 600),
    ]


def test_forms_have_sources_of_their_own() -> None:
    writer = RtpWriter()
    short, whole = writer.write(datagram(9, 5, 0)), writer.write(datagram(9, 5, 0))
    assert (short[1], whole[1]) == (96, 97)
    assert source_of(short) != source_of(whole)


def test_what_browsers_add() -> None:
    """Contributing sources, a header extension and padding."""
    head = struct.pack("!BBHII", 0x80 | 0x30 | 1, 97, 0, 0, 7) + bytes(4)
    extension = struct.pack("!HH", 0xBEDE, 1) + bytes(4)
    assert RtpReader().read(head + extension + b"hello" + b"\0\0\x03") == b"hello"


@given(st.binary(max_size=60))
def test_garbage(data: bytes) -> None:
    try:
        RtpReader().read(data)
    except (StreamError, TruncatedError):
        return
    assert data[0] >> 6 == 2


@pytest.mark.parametrize("cut", range(20))
def test_cut(cut: int) -> None:
    head = struct.pack("!BBHII", 0x90, 97, 0, 0, 7) + struct.pack("!HH", 0xBEDE, 1) + bytes(4)
    with pytest.raises(TruncatedError):
        RtpReader().read(head[:cut])
