from __future__ import annotations

import dataclasses
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.codec.errors import (
    ConfigError,
    DamagedError,
    FacewireError,
    MotionError,
    StreamError,
    TruncatedError,
    UnsupportedError,
)
from facewire.codec.keyframe import (
    FRAGMENT_BYTES,
    MAX_FRAGMENTS,
    MAX_SHAPE,
    Keyframe,
    KeyframeAssembler,
    fragment_pts,
)
from facewire.codec.packet import MAX_DATAGRAM, Flags, Kind, Packet
from facewire.codec.picture.still import CodedPicture, StillCodec

from .makers import make_keyframe, make_motion


def push_all(assembler: KeyframeAssembler, packets: list[Packet]) -> list[Keyframe]:
    pushed = [assembler.push(packet) for packet in packets]
    return [keyframe for keyframe in pushed if keyframe is not None]


@given(
    st.integers(0, 15),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.binary(min_size=2, max_size=600) | st.just(b"") | st.integers(0, 15),
    st.binary(min_size=1, max_size=5000),
    st.integers(0, 1 << 20),
)
def test_round_trip(
    identity: int, pts: int, shape: bytes | int, data: bytes, sequence: int
) -> None:
    picture = CodedPicture(StillCodec.WEBP, 9, data)
    if isinstance(shape, int):
        keyframe = Keyframe(identity, pts, make_motion(1), b"", picture, shape)
    else:
        keyframe = Keyframe(identity, pts, make_motion(1), shape, picture)
    packets = keyframe.to_packets(sequence)
    assert all(len(bytes(packet)) <= MAX_DATAGRAM for packet in packets)
    assert [packet.sequence for packet in packets] == [
        (sequence + n) % 65536 for n in range(len(packets))
    ]
    assert all(packet.pts == pts % 65536 for packet in packets)
    assert all(packet.reference == identity for packet in packets)
    assert push_all(KeyframeAssembler(), packets) == [keyframe]


def test_flags() -> None:
    keyframe = make_keyframe()
    assert keyframe.to_packets(0)[0].flags == Flags.SYNTHETIC | Flags.INTRA
    assert keyframe.to_packets(0, synthetic=False)[0].flags == Flags.INTRA


def test_first_fragment_tells_the_full_pts() -> None:
    packets = make_keyframe(pts=-(1 << 40)).to_packets(0)
    assert [fragment_pts(packet) for packet in packets] == [-(1 << 40), None, None]
    assert fragment_pts(Packet(Kind.MOTION, Flags.NONE, 0, 0, 0, bytes(120))) is None
    assert fragment_pts(dataclasses.replace(packets[0], payload=b"\0\1")) is None


@pytest.mark.parametrize("seed", range(20))
def test_any_order_with_doubles(seed: int) -> None:
    keyframe = make_keyframe(size=9000)
    packets = keyframe.to_packets(0)
    shuffled = packets + random.Random(seed).choices(packets, k=5)
    random.Random(seed).shuffle(shuffled)
    whole = push_all(KeyframeAssembler(), shuffled)
    assert whole
    assert all(one == keyframe for one in whole)


def test_a_second_sending_completes_the_keyframe() -> None:
    keyframe = make_keyframe()
    first, second = keyframe.to_packets(0), keyframe.to_packets(500)
    assembler = KeyframeAssembler()
    assert push_all(assembler, [first[0], first[2]]) == []
    assert assembler.push(second[1]) == keyframe
    assert assembler.pending == 0


def test_fragments_of_different_keyframes_never_mix() -> None:
    one, other = make_keyframe(pts=5, size=3000), make_keyframe(pts=5, size=3001)
    a, b = one.to_packets(0), other.to_packets(0)
    assembler = KeyframeAssembler()
    assert push_all(assembler, [a[0], b[1], a[1], b[2], b[0]]) == [other]
    assert assembler.push(a[2]) == one


def test_memory_is_bounded() -> None:
    assembler = KeyframeAssembler(pending=4)
    kept = [make_keyframe(pts=pts).to_packets(0) for pts in range(500)]
    for packets in kept:
        assert assembler.push(packets[0]) is None
        assert assembler.pending <= 4
    assert push_all(assembler, kept[-1][1:])  # the newest is there
    assert not push_all(assembler, kept[0][1:])  # the oldest is not
    assembler.reset()
    assert assembler.pending == 0


def test_the_keyframe_that_got_no_fragment_for_longest_is_dropped() -> None:
    growing = make_keyframe(pts=0, size=9000).to_packets(0)
    assembler = KeyframeAssembler(pending=2)
    others = [make_keyframe(pts=pts).to_packets(0)[0] for pts in range(1, len(growing))]
    for mine, other in zip(growing, others, strict=False):
        assert assembler.push(mine) is None
        assert assembler.push(other) is None
    assert assembler.push(growing[-1]) is not None


def test_a_damaged_fragment_is_found() -> None:
    packets = make_keyframe().to_packets(0)
    payload = bytearray(packets[1].payload)
    payload[100] ^= 1
    packets[1] = dataclasses.replace(packets[1], payload=bytes(payload))
    assembler = KeyframeAssembler()
    with pytest.raises(DamagedError, match="checksum"):
        push_all(assembler, packets)
    assert assembler.pending == 0


def test_fragments_that_disagree_on_their_count() -> None:
    packets = make_keyframe().to_packets(0)
    lie = dataclasses.replace(packets[1], payload=b"\x01\x09" + packets[1].payload[2:])
    with pytest.raises(StreamError, match="says 9"):
        push_all(KeyframeAssembler(), [packets[0], lie])


@pytest.mark.parametrize(("index", "count"), [(0, 0), (3, 3), (0, MAX_FRAGMENTS + 1), (255, 255)])
def test_fragment_numbers_out_of_range(index: int, count: int) -> None:
    packet = make_keyframe().to_packets(0)[0]
    payload = bytes([index, count]) + packet.payload[2:]
    with pytest.raises(StreamError, match=f"fragment {index} of {count}"):
        KeyframeAssembler().push(dataclasses.replace(packet, payload=payload))


def test_a_fragment_that_is_too_large() -> None:
    packet = make_keyframe().to_packets(0)[0]
    payload = packet.payload[:6] + bytes(FRAGMENT_BYTES + 1)
    with pytest.raises(StreamError, match="over"):
        KeyframeAssembler().push(dataclasses.replace(packet, payload=payload))


@pytest.mark.parametrize("length", range(7))
def test_a_fragment_without_a_body(length: int) -> None:
    packet = make_keyframe().to_packets(0)[0]
    with pytest.raises(TruncatedError):
        KeyframeAssembler().push(dataclasses.replace(packet, payload=packet.payload[:length]))


def test_other_kinds_are_refused() -> None:
    with pytest.raises(StreamError, match="MOTION"):
        KeyframeAssembler().push(Packet(Kind.MOTION, Flags.NONE, 0, 0, 0, bytes(120)))


def test_body_cut_at_every_byte() -> None:
    keyframe = make_keyframe(size=40)
    body = bytes(keyframe)
    for length in range(len(body)):
        cut_in_picture = length > 132 + len(keyframe.shape)
        try:
            parsed = Keyframe.parse(3, body[:length])
        except TruncatedError:
            assert not cut_in_picture
        else:
            assert cut_in_picture  # the fragments' CRC-32 finds that
            assert parsed.shape == keyframe.shape


def test_unknown_still_codec() -> None:
    body = bytearray(bytes(make_keyframe()))
    body[8] = 77
    with pytest.raises(UnsupportedError, match="77"):
        Keyframe.parse(0, bytes(body))


def gazing(gaze: tuple[int, int]) -> Keyframe:
    """A keyframe whose eyes look so, in steps."""
    keyframe = make_keyframe()
    motion = dataclasses.replace(keyframe.motion, gaze=np.array(gaze, np.float32) / np.float32(127))
    return dataclasses.replace(keyframe, motion=motion)


@given(st.tuples(st.integers(-127, 127), st.integers(-127, 127)), st.none() | st.integers(0, 15))
def test_round_trip_of_a_gaze(gaze: tuple[int, int], base: int | None) -> None:
    keyframe = gazing(gaze)
    if base is not None:
        keyframe = dataclasses.replace(keyframe, shape=b"", base=base)
    body = bytes(keyframe)
    plain = bytes(dataclasses.replace(keyframe, motion=make_keyframe().motion))
    assert Keyframe.parse(keyframe.id, body) == keyframe
    assert bytes(Keyframe.parse(keyframe.id, body)) == body
    assert len(body) == len(plain) + 2 * any(gaze)
    if any(gaze):
        assert body[11] == plain[11] | 0x80
        assert body[132:134] == bytes([gaze[0] % 256, gaze[1] % 256])
        assert body[134:] == plain[132:]
    else:
        assert body == plain


def test_a_gaze_that_nobody_sends() -> None:
    body = bytearray(bytes(gazing((20, -3))))
    body[132:134] = b"\0\0"
    with pytest.raises(StreamError, match="gaze"):
        Keyframe.parse(0, bytes(body))
    body[132:134] = b"\x80\0"
    with pytest.raises(MotionError, match="gaze"):
        Keyframe.parse(0, bytes(body))
    for size in (132, 133):
        with pytest.raises(TruncatedError, match="gaze"):
            Keyframe.parse(0, bytes(body[:size]))


def test_shape_that_claims_too_much() -> None:
    body = bytearray(bytes(make_keyframe()))
    body[10:12] = b"\xff\x7f"
    with pytest.raises(StreamError, match="32767"):
        Keyframe.parse(0, bytes(body))


@pytest.mark.parametrize("half", [np.nan, np.inf, -np.inf])
def test_motion_that_is_not_finite(half: float) -> None:
    body = bytearray(bytes(make_keyframe()))
    body[12:14] = np.array(half, "<f2").tobytes()
    with pytest.raises(MotionError):
        Keyframe.parse(0, bytes(body))


@given(st.binary(max_size=300))
def test_any_body_is_a_keyframe_or_a_typed_error(body: bytes) -> None:
    try:
        keyframe = Keyframe.parse(0, body)
    except FacewireError:
        return
    assert Keyframe.parse(0, bytes(keyframe)) == keyframe


@pytest.mark.parametrize(
    "change", [{"id": 16}, {"id": -1}, {"pts": 1 << 63}, {"shape": bytes(4097)}]
)
def test_settings_out_of_range(change: dict[str, Any]) -> None:
    assert MAX_SHAPE == 4096
    with pytest.raises(ConfigError):
        dataclasses.replace(make_keyframe(), **change)


def test_the_largest_keyframe_fits() -> None:
    picture = CodedPicture(StillCodec.AV1, 1, bytes(65535))
    keyframe = Keyframe(0, 0, make_motion(), bytes(MAX_SHAPE), picture)
    assert push_all(KeyframeAssembler(), keyframe.to_packets(0)) == [keyframe]
