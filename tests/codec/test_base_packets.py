"""Frames of the base layer in packets: whole, cut, damaged and hostile."""

from __future__ import annotations

import dataclasses
import random
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.base_packets import (
    MAX_FRAMES,
    MAX_INDEX,
    PART_BYTES,
    BaseAssembler,
    BaseGroup,
)
from facewire.codec.errors import ConfigError, DamagedError, StreamError, TruncatedError
from facewire.codec.packet import MAX_DATAGRAM, Flags, Kind, Packet
from facewire.codec.picture.chain import MAX_FRAME


def make_group(sizes: tuple[int, ...] = (40, 5000, 12), **other: int) -> BaseGroup:
    rng = random.Random(5)
    frames = tuple((2 * bool(n), rng.randbytes(size)) for n, size in enumerate(sizes))
    settings = {"reference": 3, "chain": 254, "index": 9, "quality": 51, "pts": 65535} | other
    return BaseGroup(**settings, frames=frames)


def raw(body: bytes, index: int = 1) -> Packet:
    """A packet that holds a whole body."""
    head = struct.pack("<BHBBBH", 0, index, 50, 0, 1, zlib.crc32(body) & 0xFFFF)
    return Packet(Kind.BASE, Flags.SYNTHETIC, 0, 0, 0, head + body)


data = st.binary(min_size=1, max_size=3000)
later = st.tuples(st.integers(1, 255), data)


@given(
    st.integers(0, 15),
    st.integers(0, 255),
    st.integers(1, MAX_INDEX - 8),
    st.integers(0, 65535),
    data,
    st.lists(later, max_size=8),
    st.randoms(use_true_random=False),
)
def test_round_trip_in_any_order(
    reference: int,
    chain: int,
    index: int,
    pts: int,
    first: bytes,
    rest: list[tuple[int, bytes]],
    order: random.Random,
) -> None:
    group = BaseGroup(reference, chain, index, 7, pts, ((0, first), *rest))
    packets = group.to_packets(65530)
    assert all(len(bytes(packet)) <= MAX_DATAGRAM for packet in packets)
    assert [p.sequence for p in packets] == [(65530 + n) % 65536 for n in range(len(packets))]
    order.shuffle(packets)
    assembler = BaseAssembler()
    sent = [Packet.parse(bytes(packet)) for packet in packets]
    for packet in sent[:-1]:
        assert assembler.push(packet) is None
    assert assembler.push(sent[-1]) == group
    assert len(assembler) == 0


def test_bytes_are_as_documented() -> None:
    group = BaseGroup(5, 7, 258, 60, 1000, ((0, b"a" * 200), (3, b"bc")))
    (packet,) = group.to_packets()
    body = b"\x00\xc8\x01" + b"a" * 200 + b"\x03\x02bc"
    check = struct.pack("<H", zlib.crc32(body) & 0xFFFF)
    assert packet.payload == bytes.fromhex("07 0201 3c 00 01") + check + body
    assert (packet.kind, packet.reference, packet.pts) == (Kind.BASE, 5, 1000)
    assert group.times == (0, 3)


def test_parts_that_come_twice_do_no_harm() -> None:
    group = make_group()
    packets = group.to_packets()
    assembler = BaseAssembler()
    found = [assembler.push(p) for packet in packets for p in (packet, packet)]
    assert [each for each in found if each is not None] == [group]


def test_a_lost_part_leaves_the_group_out() -> None:
    assembler = BaseAssembler()
    assert [assembler.push(packet) for packet in make_group().to_packets()[1:]] == [None] * 4


def test_incomplete_groups_are_bounded() -> None:
    assembler = BaseAssembler()
    for pts in range(100):
        assembler.push(make_group(pts=pts).to_packets()[0])
        assert len(assembler) <= 4
    first, *rest = make_group(pts=0).to_packets()
    assert all(assembler.push(packet) is None for packet in rest)  # its first part is forgotten
    assert assembler.push(first) is not None
    assembler.reset()
    assert len(assembler) == 0


@pytest.mark.parametrize("at", [0, 1, 3, 7, 8, 40])
def test_a_changed_bit_is_noticed(at: int) -> None:
    """In the head it makes another group, of which parts are missing, or one that is refused."""
    packets = make_group((40, 1500)).to_packets()
    payload = bytearray(packets[1].payload)
    payload[at] ^= 4
    assembler = BaseAssembler()
    assembler.push(packets[0])
    changed = dataclasses.replace(packets[1], payload=bytes(payload))
    if at < 8:
        assert assembler.push(changed) is None
    else:
        with pytest.raises(DamagedError):
            assembler.push(changed)


def test_a_body_that_ends_early_is_refused() -> None:
    body = make_group((3, 200, 5)).body()
    good = {0, 5, 5 + 3 + 200}  # where a frame begins
    for end in range(1, len(body)):
        if end in good:
            assert BaseAssembler().push(raw(body[:end])) is not None
        else:
            with pytest.raises(TruncatedError):
                BaseAssembler().push(raw(body[:end]))


@pytest.mark.parametrize("length", range(9))
def test_a_packet_without_a_part_is_refused(length: int) -> None:
    with pytest.raises(TruncatedError):
        BaseAssembler().push(Packet(Kind.BASE, Flags.NONE, 0, 0, 0, bytes(length)))


@pytest.mark.parametrize(
    ("body", "index"),
    [
        (b"\x00\x00", 1),  # no data
        (b"\x01\x01x", 1),  # the first frame is late
        (b"\x00\x01x\x00\x01x", 1),  # two frames at one time
        (b"\x00\xff\xff\xff\x7fx", 1),  # a length of four bytes
        (b"\x00\x01x" + b"\x01\x01x" * MAX_FRAMES, 1),  # too many frames
        (b"\x00\x01x", 0),  # the still itself
        (b"\x00\x01x\x01\x01x", MAX_INDEX),  # beyond the last one
    ],
)
def test_hostile_bodies_are_refused(body: bytes, index: int) -> None:
    with pytest.raises(StreamError):
        BaseAssembler().push(raw(body, index))


@pytest.mark.parametrize(("number", "count"), [(0, 0), (1, 1), (5, 2), (64, 65), (255, 255)])
def test_parts_out_of_range_are_refused(number: int, count: int) -> None:
    head = struct.pack("<BHBBBH", 0, 1, 50, number, count, 0)
    with pytest.raises(StreamError):
        BaseAssembler().push(Packet(Kind.BASE, Flags.NONE, 0, 0, 0, head + b"x"))


def test_a_part_that_is_too_large_or_of_another_kind_is_refused() -> None:
    packet = raw(bytes(PART_BYTES + 1))
    with pytest.raises(StreamError):
        BaseAssembler().push(packet)
    with pytest.raises(StreamError):
        BaseAssembler().push(dataclasses.replace(raw(b"\x00\x01x"), kind=Kind.MOTION))


@given(st.binary(max_size=300))
def test_random_bytes_are_a_group_or_refused(payload: bytes) -> None:
    try:
        group = BaseAssembler().push(Packet(Kind.BASE, Flags.NONE, 0, 0, 0, payload))
    except StreamError:
        return
    assert group is None or 0 < len(group.frames) <= MAX_FRAMES


@pytest.mark.parametrize(
    "other",
    [
        {"reference": 16},
        {"chain": 256},
        {"index": 0},
        {"index": MAX_INDEX},
        {"quality": 256},
        {"pts": 65536},
    ],
)
def test_numbers_that_do_not_fit_are_a_mistake_of_the_caller(other: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        make_group(**other)


@pytest.mark.parametrize(
    "frames",
    [
        (),
        ((1, b"x"),),
        ((0, b""),),
        ((0, b"x"), (0, b"x")),
        ((0, b"x"), (256, b"x")),
        ((0, bytes(MAX_FRAME + 1)),),
        tuple((bool(n), b"x") for n in range(MAX_FRAMES + 1)),
    ],
)
def test_frames_that_do_not_fit_are_a_mistake_of_the_caller(
    frames: tuple[tuple[int, bytes], ...],
) -> None:
    with pytest.raises(ConfigError):
        BaseGroup(0, 0, 1, 0, 0, frames)


def test_a_group_that_needs_too_many_packets_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ConfigError):
        make_group((50_000, 50_000)).to_packets()
