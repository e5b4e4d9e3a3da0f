from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, StreamError, TruncatedError, UnsupportedError
from facewire.codec.packet import HEADER_BYTES, MAX_PACKET, MAX_PAYLOAD, Flags, Kind, Packet

packets = st.builds(
    Packet,
    st.sampled_from(Kind),
    st.sampled_from([Flags.NONE, Flags.SYNTHETIC, Flags.INTRA, Flags.SYNTHETIC | Flags.INTRA]),
    st.integers(0, 15),
    st.integers(0, 65535),
    st.integers(0, 65535),
    st.binary(max_size=200),
)


@given(packets)
def test_round_trip(packet: Packet) -> None:
    assert Packet.parse(bytes(packet)) == packet
    assert len(bytes(packet)) == HEADER_BYTES + len(packet.payload)


def test_bytes_are_as_documented() -> None:
    packet = Packet(Kind.MOTION, Flags.SYNTHETIC | Flags.INTRA, 5, 0x1234, 0xABCD, b"xyz")
    assert bytes(packet) == bytes.fromhex("03 35 34 12 cd ab") + b"xyz"


def test_wire_numbers_never_change() -> None:
    assert {kind.name: int(kind) for kind in Kind} == {
        "STREAM": 1,
        "KEYFRAME": 2,
        "MOTION": 3,
        "AUDIO": 4,
        "PARITY": 5,
        "CONTROL": 6,
        "IDENTITY": 7,
        "BASE": 8,
        "LIGHT": 13,
    }
    assert (Flags.SYNTHETIC, Flags.INTRA) == (1, 2)


@pytest.mark.parametrize("length", range(HEADER_BYTES))
def test_every_truncated_header_says_so(length: int) -> None:
    data = bytes(Packet(Kind.MOTION, Flags.NONE, 0, 1, 2, b""))
    with pytest.raises(TruncatedError, match=f"only {length}"):
        Packet.parse(data[:length])


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_a_stream_error(data: bytes) -> None:
    try:
        packet = Packet.parse(data)
    except StreamError:
        return
    # Reserved flags are dropped, all else is kept.
    assert bytes(packet)[2:] == data[2:]
    assert bytes(packet)[1] == data[1] & 0x3F


@pytest.mark.parametrize("kind", [0, 9, 255])
def test_an_unknown_kind(kind: int) -> None:
    with pytest.raises(UnsupportedError, match=str(kind)):
        Packet.parse(bytes([kind, 0, 0, 0, 0, 0]))


def test_too_large() -> None:
    with pytest.raises(StreamError, match="at most"):
        Packet.parse(bytes([3]) + bytes(MAX_PACKET))
    with pytest.raises(ConfigError, match="at most"):
        Packet(Kind.MOTION, Flags.NONE, 0, 0, 0, bytes(MAX_PAYLOAD + 1))


@pytest.mark.parametrize(
    ("reference", "sequence", "pts"),
    [(16, 0, 0), (-1, 0, 0), (0, 65536, 0), (0, -1, 0), (0, 0, 65536), (0, 0, -1)],
)
def test_fields_out_of_range(reference: int, sequence: int, pts: int) -> None:
    with pytest.raises(ConfigError, match="modulo"):
        Packet(Kind.MOTION, Flags.NONE, reference, sequence, pts, b"")
