"""Datagrams: what goes in comes out, in fewer bytes than the packets by themselves."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.call.pack import HEAD_BYTES, MAX_BYTES, Datagram, packed_size
from facewire.codec.errors import ConfigError, StreamError, TruncatedError, UnsupportedError
from facewire.codec.packet import Flags, Kind, Packet

u16 = st.integers(0, 65_535)


@st.composite
def datagrams(draw: st.DrawFn) -> Datagram:
    sequence = draw(u16)
    packets = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from([kind for kind in Kind if kind != Kind.PARITY]))
        flags = Flags(draw(st.integers(0, 3)))
        payload = draw(st.binary(max_size=150))
        if kind == Kind.CONTROL:
            packets.append(Packet(kind, flags, 0, draw(u16), 0, payload))
            continue
        sequence = (sequence + draw(st.sampled_from([0, 0, 0, 1, 255]))) % 65_536
        reference = draw(st.integers(0, 15))
        packets.append(Packet(kind, flags, reference, sequence, draw(u16), payload))
        sequence = (sequence + 1) % 65_536
    return Datagram(draw(u16), draw(u16), draw(u16), tuple(packets))


@given(datagrams())
def test_round_trip(datagram: Datagram) -> None:
    data = bytes(datagram)
    assert Datagram.parse(data) == datagram
    assert len(data) <= MAX_BYTES


@given(datagrams(), st.data())
def test_a_datagram_that_is_cut_is_refused_or_lacks_whole_packets(
    datagram: Datagram, data: st.DataObject
) -> None:
    whole = bytes(datagram)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    with contextlib.suppress(TruncatedError):
        found = Datagram.parse(cut)
        assert found.packets == datagram.packets[: len(found.packets)]


def test_parity_has_no_place() -> None:
    packet = Packet(Kind.PARITY, Flags.NONE, 0, 0, 0, b"p")
    with pytest.raises(ConfigError, match="PARITY"):
        bytes(Datagram(0, 0, 0, (packet,)))


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda b: b"\x01" + b))
def test_nothing_but_documented_errors(data: bytes) -> None:
    with contextlib.suppress(StreamError):
        found = Datagram.parse(data)
        assert Datagram.parse(bytes(found)) == found


def test_golden_bytes() -> None:
    """Every byte, as docs/call.md describes it."""
    packets = (
        Packet(Kind.AUDIO, Flags.INTRA, 0, 500, 9, b"so"),
        Packet(Kind.MOTION, Flags.SYNTHETIC, 3, 502, 258, b"m"),
        Packet(Kind.CONTROL, Flags.NONE, 0, 7, 0, bytes(130)),
    )
    data = bytes(Datagram(0x1234, 1, 2, packets))
    head = bytes.fromhex("01 3412 0100 0200 f401")
    audio = bytes.fromhex("0c 0900 02") + b"so"
    motion = bytes.fromhex("b3 01 03 0201 01") + b"m"
    control = bytes.fromhex("46 0700 82 01") + bytes(130)
    assert data == head + audio + motion + control


def test_packets_cost_less_together() -> None:
    packets = [Packet(Kind.MOTION, Flags.SYNTHETIC, 0, n, 3 * n, bytes(20)) for n in range(4)]
    size = len(bytes(Datagram(0, 0, 0, tuple(packets))))
    assert size == packed_size(packets) == HEAD_BYTES + 4 * 24
    assert size < sum(len(bytes(packet)) for packet in packets) + HEAD_BYTES


def test_what_does_not_fit_is_refused() -> None:
    large = Packet(Kind.KEYFRAME, Flags.NONE, 0, 0, 0, bytes(1210))
    with pytest.raises(ConfigError, match="at most 1216"):
        bytes(Datagram(0, 0, 0, (large,)))
    small = [Packet(Kind.MOTION, Flags.NONE, 0, n, 0, b"") for n in (5, 4)]
    with pytest.raises(ConfigError, match="does not follow"):
        bytes(Datagram(0, 0, 0, tuple(small)))
    with pytest.raises(ConfigError, match="64"):
        bytes(Datagram(0, 0, 0, (small[0],) * 65))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (bytes(HEAD_BYTES - 1), TruncatedError),
        (b"\x02" + bytes(8), UnsupportedError),
        (b"\x01" + bytes(1216), StreamError),
        (b"\x01" + bytes(8) + bytes([3 | 32, 16, 0, 0, 0]), StreamError),
        (b"\x01" + bytes(8) + bytes([3 | 64, 0, 0, 0]), StreamError),
        (b"\x01" + bytes(8) + bytes([3, 0, 0, 0]) * 65, StreamError),
    ],
)
def test_what_is_no_datagram_is_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        Datagram.parse(data)


def test_the_base_layer_has_the_kind_zero_as_three_bits() -> None:
    data = b"\x01" + bytes(8) + bytes([0, 0, 0, 1, 99]) + bytes([3, 5, 0, 0])
    base, motion = Datagram.parse(data).packets
    assert (base.kind, base.sequence, base.payload) == (Kind.BASE, 0, b"c")
    assert (motion.kind, motion.sequence, motion.pts) == (Kind.MOTION, 1, 5)
    assert bytes(Datagram(0, 0, 0, (base, motion))) == data
