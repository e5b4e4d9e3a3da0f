"""CONTROL packets: what goes in comes out, and nothing else is taken."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.control import (
    MAX_CONTROL,
    Arrivals,
    Clock,
    Control,
    Missing,
    Proof,
    Received,
    ReferenceState,
    State,
    Wants,
)
from facewire.codec.errors import (
    ConfigError,
    FacewireError,
    StreamError,
    TruncatedError,
    UnsupportedError,
)
from facewire.codec.packet import Kind, Packet

u8, u16, u32 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32))
ids = st.integers(0, 15)
quarters = st.integers(-8000, 8000).map(lambda n: n / 4000)
reports = st.builds(
    Control,
    u32,
    st.none() | st.builds(Received, u16, st.integers(0, 2**256 - 1)),
    st.none() | u32,
    st.none() | st.lists(st.builds(ReferenceState, ids, u32), max_size=16).map(tuple),
    st.sampled_from(list(Wants)) | st.just(Wants.KEYFRAME | Wants.STREAM),
    st.none() | st.builds(Missing, ids, u32, st.lists(u8, min_size=1, max_size=60).map(tuple)),
    st.none() | st.builds(Clock, u32, u32, u16),
    st.none() | st.sampled_from([*State, State.MUTED | State.CAMERA_OFF]),
    st.none()
    | st.builds(Arrivals, u16, u32, st.lists(st.none() | quarters, max_size=100).map(tuple)),
    st.none() | st.builds(Proof, st.integers(0, 16), st.binary(min_size=64, max_size=64)),
)
FULL = Control(
    session=0x01020304,
    received=Received(1000, 0b1011),
    decoded=70_000,
    references=(ReferenceState(3, 0xDEADBEEF), ReferenceState(4, 7)),
    wants=Wants.KEYFRAME | Wants.STREAM,
    missing=Missing(5, 0xCAFEBABE, (0, 2, 9)),
    clock=Clock(123_456, 654_321, 40),
    state=State.MUTED,
    arrivals=Arrivals(77, 123_400, (0.0, None, 0.06025, 0.05)),
    proof=Proof(Proof.STREAM, bytes(range(64))),
)
GOLDEN = (
    "01 04030201"  # version, session
    "01 03 e803 0b"  # received: 1000, then a map
    "02 04 70110100"  # decoded
    "03 0a 03 efbeadde 04 07000000"  # references
    "04 01 09"  # wants
    "05 08 05 bebafeca 00 02 09"  # missing
    "06 0a 40e20100 f1fb0900 2800"  # clock
    "07 01 01"  # state
    "08 0e 4d00 08e20100 0000 0080 f100 d7ff"  # arrivals
    f"09 41 10 {bytes(range(64)).hex()}"  # proof
)


def test_golden_bytes() -> None:
    """Every byte of a report, as docs/wire-format.md describes it."""
    assert FULL.to_payload() == bytes.fromhex(GOLDEN)
    assert Control.from_payload(bytes.fromhex(GOLDEN)) == FULL


@given(reports)
def test_round_trip(report: Control) -> None:
    data = report.to_payload()
    assert len(data) <= MAX_CONTROL
    assert Control.from_payload(data) == report


def test_a_packet_of_its_own_kind() -> None:
    packet = Packet.parse(bytes(FULL.to_packet(65_537)))
    assert (packet.kind, packet.sequence) == (Kind.CONTROL, 1)
    assert Control.from_payload(packet.payload) == FULL


def test_the_map_names_the_packets_before_the_newest() -> None:
    assert list(Received(2, 0b1011).numbers()) == [2, 1, 0, 65_534]


@pytest.mark.parametrize("length", range(len(bytes.fromhex(GOLDEN))))
def test_a_report_that_is_cut_is_refused_or_lacks_whole_items(length: int) -> None:
    data = bytes.fromhex(GOLDEN)[:length]
    try:
        report = Control.from_payload(data)
    except TruncatedError:
        return
    assert report.to_payload() == data


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"\x01\0\0\0\0" + b))
def test_nothing_but_documented_errors(data: bytes) -> None:
    with contextlib.suppress(StreamError):  # the other two are kinds of it
        found = Control.from_payload(data)
        assert Control.from_payload(found.to_payload()) == found


def test_items_and_bits_of_later_versions_are_skipped() -> None:
    data = bytes.fromhex("01 00000000") + bytes([200, 3, 1, 2, 3]) + bytes([4, 1, 0b1110_0001])
    assert Control.from_payload(data) == Control(wants=Wants.KEYFRAME)


@pytest.mark.parametrize(
    "items",
    [
        "04 01 01 04 01 01",  # an item twice
        "01 00",  # a map without its newest packet
        "02 03 000000",
        "03 06 03 00000000 00",
        "03 05 10 00000000",  # an id of 16
        "05 05 01 00000000",  # no fragment
        "06 09 000000000000000000",
        "07 02 0000",
        "08 07 0000 00000000 00",
        "04 05 01",  # longer than the report
    ],
)
def test_items_that_do_not_fit_are_refused(items: str) -> None:
    with pytest.raises(StreamError):
        Control.from_payload(bytes.fromhex("01 00000000" + items))


def test_another_version_is_named() -> None:
    with pytest.raises(UnsupportedError, match="version 2"):
        Control.from_payload(bytes([2, 0, 0, 0, 0]))
    with pytest.raises(StreamError, match="at most"):
        Control.from_payload(bytes(MAX_CONTROL + 1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Control(session=-1),
        lambda: Control(decoded=1 << 32),
        lambda: Control(references=(ReferenceState(0, 0),) * 17),
        lambda: Received(65_536),
        lambda: Received(0, 1 << 256),
        lambda: ReferenceState(16, 0),
        lambda: Missing(0, 0, ()),
        lambda: Missing(0, 0, (256,)),
        lambda: Clock(0, 0, 65_536),
        lambda: Arrivals(0, 0, (0.0,) * 101),
    ],
)
def test_what_cannot_be_sent_is_refused(make: object) -> None:
    with pytest.raises(ConfigError) as caught:
        make()  # type: ignore[operator]
    assert isinstance(caught.value, FacewireError)


def test_a_long_silence_does_not_overflow() -> None:
    arrivals = Arrivals(0, 0, (0.0, 30.0))
    found = Control.from_payload(Control(arrivals=arrivals).to_payload()).arrivals
    assert found is not None
    assert found.times[1] == pytest.approx(8.19175)
