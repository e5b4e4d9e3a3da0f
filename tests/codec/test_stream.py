from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import ConfigError, StreamError, UnsupportedError
from facewire.codec.motion.profiles import tables_version
from facewire.codec.packet import Flags, Kind
from facewire.codec.sound.opus import FRAME_MS
from facewire.codec.stream import MAX_HEADER, AudioParameters, StreamHeader

HEADER = StreamHeader("avfr-s", bytes(range(32)), audio=AudioParameters())


def fields(**changes: object) -> dict[str, Any]:
    return {**msgpack.unpackb(HEADER.to_payload()), **changes}


rates = st.fractions(Fraction(1, 100), 240, max_denominator=1001)
headers = st.builds(
    StreamHeader,
    model=st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True),
    weights_sha256=st.binary(min_size=32, max_size=32),
    width=st.integers(32, 512).map(lambda half: 2 * half),
    height=st.integers(32, 512).map(lambda half: 2 * half),
    fps=rates,
    time_base=rates.map(lambda rate: min(1 / rate, Fraction(10))),
    audio=st.none()
    | st.builds(
        AudioParameters,
        frame_ms=st.sampled_from(FRAME_MS),
        bitrate=st.integers(500, 512000),
    ),
    synthetic=st.booleans(),
    session=st.integers(0, (1 << 32) - 1),
    portrait=st.none()
    | st.just("")
    | st.text("Zoë Q, 0-9", min_size=1).map(lambda t: f"Z{t}"[:90]),
    performed=st.booleans(),
)


@given(headers)
def test_round_trip(header: StreamHeader) -> None:
    assert StreamHeader.from_payload(header.to_payload()) == header


def test_packet() -> None:
    packet = HEADER.to_packet(65537, 70000)
    assert (packet.kind, packet.sequence, packet.pts) == (Kind.STREAM, 1, 70000 % 65536)
    assert packet.flags == Flags.SYNTHETIC
    assert len(bytes(packet)) < 200  # it goes with every keyframe


def test_unknown_keys_are_ignored() -> None:
    payload = msgpack.packb(fields(later={"a": [1, 2]}))
    assert StreamHeader.from_payload(payload) == HEADER


@pytest.mark.parametrize("length", range(len(HEADER.to_payload())))
def test_cut_at_every_byte(length: int) -> None:
    with pytest.raises(StreamError):
        StreamHeader.from_payload(HEADER.to_payload()[:length])


@given(st.integers(0, len(HEADER.to_payload()) - 1), st.integers(1, 255))
def test_a_damaged_byte_gives_a_header_or_a_stream_error(at: int, change: int) -> None:
    payload = bytearray(HEADER.to_payload())
    payload[at] ^= change
    try:
        header = StreamHeader.from_payload(bytes(payload))
    except StreamError:
        return
    assert StreamHeader.from_payload(header.to_payload()) == header


@given(st.binary(max_size=100))
def test_any_bytes_are_a_stream_error(payload: bytes) -> None:
    with pytest.raises(StreamError):
        StreamHeader.from_payload(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd\x40\x00\x00\x00" + bytes(8),  # an array of 2^30
        b"\xdf\x40\x00\x00\x00" + bytes(8),  # a map
        b"\xdb\x40\x00\x00\x00" + bytes(8),  # a string
        b"\xc6\x40\x00\x00\x00" + bytes(8),  # bytes
        b"\x91" * 1000,  # nested
        b"\x81\x90\x01",  # a key that cannot be hashed
        bytes(MAX_HEADER + 1),
    ],
)
def test_hostile_msgpack(payload: bytes) -> None:
    with pytest.raises(StreamError):
        StreamHeader.from_payload(payload)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", ""),
        ("model", "../../etc/passwd"),
        ("model", 3),
        ("sha256", b"short"),
        ("sha256", "x" * 32),
        ("size", [256]),
        ("size", [256, "256"]),
        ("size", [256, 1 << 30]),
        ("size", [255, 256]),
        ("size", [0, 0]),
        ("fps", [25, 0]),
        ("fps", [-25, 1]),
        ("fps", [1, 1 << 40]),
        ("fps", 25),
        ("tick", [0, 1]),
        ("tick", [1, -25]),
        ("k", "10"),
        ("k", True),
        ("synthetic", 1),
        ("session", -1),
        ("session", 1 << 32),
        ("session", "1"),
        ("audio", 1),
        ("audio", {}),
        ("audio", {"codec": "opus", "rate": 16000, "channels": 1, "ms": 41, "bps": 8000}),
        ("audio", {"codec": "opus", "rate": 1 << 31, "channels": 1, "ms": 40, "bps": 8000}),
        ("audio", {"codec": "opus", "rate": 16000, "channels": 1, "ms": 40, "bps": 0}),
    ],
)
def test_values_out_of_range(key: str, value: object) -> None:
    with pytest.raises(StreamError):
        StreamHeader.from_payload(msgpack.packb(fields(**{key: value})))


@pytest.mark.parametrize(("key", "value"), [("version", 2), ("profile", "pose9"), ("k", 11)])
def test_what_only_a_later_version_knows_is_unsupported(key: str, value: object) -> None:
    with pytest.raises(UnsupportedError, match=str(value)):
        StreamHeader.from_payload(msgpack.packb(fields(**{key: value})))


def test_a_later_version_is_unsupported_whatever_else_it_says() -> None:
    with pytest.raises(UnsupportedError, match="newer facewire"):
        StreamHeader.from_payload(msgpack.packb({"version": 9, "weights": []}))


def test_a_wrong_setting_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="even sizes"):
        StreamHeader("avfr-s", bytes(32), width=255)
    with pytest.raises(ConfigError, match="32 bytes"):
        StreamHeader("avfr-s", bytes(31))


def test_a_portrait_needs_no_room_where_there_is_none() -> None:
    assert b"portrait" not in HEADER.to_payload()
    own = replace(HEADER, portrait="")
    assert StreamHeader.from_payload(own.to_payload()).portrait == ""


@pytest.mark.parametrize("consent", [7, None, b"Ada", "two\nlines", "x" * 201, " "])
def test_a_portrait_that_is_no_line_is_an_error(consent: object) -> None:
    with pytest.raises(StreamError):
        StreamHeader.from_payload(msgpack.packb(fields(portrait=consent)))


def test_the_longest_consent_fits() -> None:
    longest = replace(HEADER, portrait="ä" * 100, identity=bytes(8), session=1 << 31)
    assert len(bytes(longest.to_packet(0))) < 500
    with pytest.raises(ConfigError, match="one line"):
        replace(HEADER, portrait="ä" * 101)


def test_a_performed_face_is_marked_whoever_it_shows() -> None:
    assert b"performed" not in HEADER.to_payload()
    assert not HEADER.keeps_badge
    assert not replace(HEADER, portrait="").keeps_badge
    assert replace(HEADER, portrait="Ada, today").keeps_badge
    assert replace(HEADER, portrait="", performed=True).keeps_badge
    assert not StreamHeader.from_payload(msgpack.packb(fields(performed=False))).keeps_badge


@pytest.mark.parametrize("performed", [1, "yes", None])
def test_a_mark_of_another_type_is_an_error(performed: object) -> None:
    with pytest.raises(StreamError, match="performed"):
        StreamHeader.from_payload(msgpack.packb(fields(performed=performed)))


@pytest.mark.parametrize(
    ("profile", "tables", "gaze"),
    [("entropy", 3, True), ("entropy", 2, False), ("entropy", 1, False), ("entropy", None, False)]
    + [("pose", 1, False), ("pose", 3, False), ("fp16", None, False), ("pose-fp16", None, False)],
)
def test_only_tables_3_of_entropy_have_a_gaze(profile: str, tables: int | None, gaze: bool) -> None:
    header = StreamHeader("avfr-s", bytes(32), profile=profile, tables=tables)
    assert header.gaze is gaze
    assert StreamHeader.from_payload(header.to_payload()) == header
    assert StreamHeader.from_payload(header.to_payload()).gaze is gaze


def test_who_wants_a_gaze_gets_tables_that_have_it() -> None:
    assert [tables_version("entropy", gaze=gaze) for gaze in (False, True)] == [2, 3]
    assert [tables_version("pose", gaze=gaze) for gaze in (False, True)] == [1, 1]
    assert tables_version("fp16", gaze=True) is None
