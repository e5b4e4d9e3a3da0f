"""Identities: packing, files and packets. Cut, damaged and absurd data raises typed errors."""

from __future__ import annotations

import dataclasses
import functools
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.errors import (
    ConfigError,
    DamagedError,
    FacewireError,
    StreamError,
    TruncatedError,
    UnsupportedError,
)
from facewire.codec.file.accounting import BitCount
from facewire.codec.file.container import Reader, Writer
from facewire.codec.identity import (
    MAX_BODY,
    MAX_FILE,
    Identity,
    MouthHabits,
    identity_id,
    read_identity,
    write_identity,
)
from facewire.codec.identity_packets import (
    FRAGMENT_BYTES,
    MAX_FRAGMENTS,
    IdentityAssembler,
    introduce,
)
from facewire.codec.packet import MAX_DATAGRAM, Flags, Kind, Packet
from facewire.codec.stream import StreamHeader

from .makers import make_keyframe

SHA256 = bytes(range(32))


def deltas(size: int = 400, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    weight = rng.laplace(0, 1e-3, (size, 10, 3, 3)).astype(np.float32)
    return {"generator.head.weight": weight, "generator.head.bias": weight[:, 0, 0, 0].copy()}


@functools.cache
def made(size: int = 400, seed: int = 0) -> Identity:
    return Identity.pack("avfr-s", SHA256, deltas(size, seed))


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def deflated(fields: Any) -> bytes:
    return deflate(msgpack.packb(fields))


MOUTH = {
    "sha256": SHA256, "shape": [2, 3, 1],
    "fit": bytes(12), "centre": bytes(12), "average": bytes(160),
}  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": b"short"},
        {"sha256": "text"},
        {"shape": [2, 3]},
        {"shape": [2, 3, 1, 1]},
        {"shape": [2, 3, -1]},
        {"shape": [2, 3, 1.0]},
        {"shape": [9, 3, 1]},
        {"shape": [2, 1 << 20, 1]},
        {"shape": 5},
        {"fit": bytes(13)},
        {"fit": bytes(14)},
        {"centre": b""},
        {"average": bytes(158)},
        {"average": np.full(80, np.nan, "<f2").tobytes()},
        {"fit": np.full(6, np.inf, "<f2").tobytes()},
        {"fit": None},
    ],
)
def test_bad_mouths_are_refused(changes: dict[str, Any]) -> None:
    tensor = {"shape": [2, 3], "steps": bytes(8), "levels": bytes(6)}
    fields = {"model": "avfr-s", "sha256": SHA256, "tensors": {"a.b": tensor}}
    assert Identity.parse(deflated(fields | {"mouth": MOUTH})).mouth is not None
    assert Identity.parse(deflated(fields | {"ears": 5})).mouth is None
    with pytest.raises(StreamError):
        Identity.parse(deflated(fields | {"mouth": MOUTH | changes}))
    for mouth in (None, 5, [], {}):
        with pytest.raises(StreamError):
            Identity.parse(deflated(fields | {"mouth": mouth}))


def body(**changes: Any) -> bytes:
    tensor = {"shape": [2, 3], "steps": bytes(8), "levels": bytes(6)}
    tensor |= {name: value for name, value in changes.items() if name in tensor}
    fields = {"model": "avfr-s", "sha256": SHA256, "tensors": {"a.b": tensor}}
    return deflated(fields | {n: v for n, v in changes.items() if n in fields})


@settings(max_examples=25)
@given(st.integers(1, 40), st.integers(1, 9), st.floats(1e-4, 10), st.integers(0, 2**32 - 1))
def test_a_small_identity_is_kept_to_half_a_step(
    outputs: int, inputs: int, size: float, seed: int
) -> None:
    delta = np.random.default_rng(seed).normal(0, size, (outputs, inputs)).astype(np.float32)
    identity = Identity.pack("avfr-s", SHA256, {"x": delta})
    assert Identity.parse(identity.body) == identity
    back = identity.changes["x"].delta()
    largest = np.abs(delta).max(1, keepdims=True)
    assert (np.abs(back - delta) <= largest * (0.5 / 127 + 1e-5)).all()


def test_a_large_identity_is_rounded_until_it_fits() -> None:
    identity = made(8000)
    assert 0.9 * MAX_FILE < identity.file_bytes <= MAX_FILE
    given_, back = deltas(8000), identity.changes
    for name, delta in given_.items():
        error = np.mean((back[name].delta() - delta) ** 2)
        assert error < 0.2 * np.mean(delta**2)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_changes_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="identity"):
        Identity.pack("avfr-s", SHA256, {"x": np.full((2, 2), value, np.float32)})


def test_changes_that_never_fit_are_refused() -> None:
    many = {f"t{i}": np.ones((1, 4), np.float32) for i in range(300)}
    with pytest.raises(ConfigError, match="256 tensors"):
        Identity.pack("avfr-s", SHA256, many)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    identity, path = made(), tmp_path / "me.fwid"
    write_identity(identity, path)
    assert path.stat().st_size == identity.file_bytes
    again = read_identity(path)
    assert again == identity
    assert (again.model, again.weights_sha256, again.id) == ("avfr-s", SHA256, identity.id)
    for name, change in identity.changes.items():
        np.testing.assert_array_equal(again.changes[name].delta(), change.delta())
    assert [p.name for p in tmp_path.iterdir()] == ["me.fwid"]


def habits(seed: int = 0) -> MouthHabits:
    rng = np.random.default_rng(seed)
    fit, centre = rng.normal(0, 1, (3, 64, 6)), rng.normal(0, 1, (3, 64))
    return MouthHabits(SHA256[::-1], fit, centre, rng.normal(0, 1, (40, 2)))


def test_what_is_known_of_a_mouth_comes_back() -> None:
    mouth = habits()
    identity = Identity.pack("avfr-s", SHA256, deltas(4), mouth)
    without = Identity.pack("avfr-s", SHA256, deltas(4))
    assert without.mouth is None
    assert without.id != identity.id
    assert identity.file_bytes - without.file_bytes < 4000
    back = Identity.parse(identity.body).mouth
    assert back is not None
    assert back.sha256 == mouth.sha256
    for name in ("fit", "centre", "average"):
        np.testing.assert_allclose(getattr(back, name), getattr(mouth, name), rtol=1e-3, atol=1e-6)
    assert identity.changes.keys() == without.changes.keys()


def test_it_makes_room_in_a_large_identity() -> None:
    identity = Identity.pack("avfr-s", SHA256, deltas(15_000), habits())
    assert identity.mouth is not None
    assert MAX_FILE * 0.8 < identity.file_bytes <= MAX_FILE


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "me.fwid"
    write_identity(made(3), path)
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(StreamError, match=r"me\.fwid"):
            read_identity(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "me.fwid"
    write_identity(made(3), path)
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :])
        with pytest.raises((DamagedError, UnsupportedError, StreamError)):
            read_identity(path)


def test_other_files_and_versions(tmp_path: Path) -> None:
    path = tmp_path / "me.fwid"
    path.write_bytes(b"ftypisom" * 99)
    with pytest.raises(StreamError, match=r"not a \.fwid file"):
        read_identity(path)
    path.write_bytes(b"\x93FWID\x01" + bytes(MAX_FILE))
    with pytest.raises(StreamError, match="more than 300000"):
        read_identity(path)
    data = b"\x93FWID\x02" + made(3).body
    path.write_bytes(data + struct.pack("<I", zlib.crc32(data)))
    with pytest.raises(UnsupportedError, match="version 2"):
        read_identity(path)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"noise",
        deflated([]),
        deflated({"model": "avfr-s"}),
        deflated({"model": 3, "sha256": SHA256, "tensors": {}}),
        body(sha256=b"short"),
        body(model="no such name!"),
        body(tensors={}),
        body(tensors={3: {}}),
        body(tensors={"../x": {"shape": [1], "steps": bytes(4), "levels": b"1"}}),
        body(tensors={"x": 7}),
        body(shape=[]),
        body(shape=[2, -3]),
        body(shape=[2, 3, 1, 1, 1]),
        body(shape=[2, 1 << 60]),
        body(shape=[1 << 40, 1 << 40]),
        body(shape="23"),
        body(levels=bytes(5)),
        body(levels=6),
        body(steps=bytes(5)),
        body(steps=bytes(4)),
        body(steps=np.array([1, np.nan], "<f4").tobytes()),
        body(steps=np.array([1, -1], "<f4").tobytes()),
        deflated(bytes(5 << 20)),
        bytes(MAX_BODY + 1),
    ],
)
def test_bad_bodies_are_refused(bad: bytes) -> None:
    with pytest.raises(StreamError):
        Identity.parse(bad)


def test_a_body_cut_anywhere_is_refused() -> None:
    whole = body()
    for length in range(len(whole)):
        with pytest.raises(StreamError):
            Identity.parse(whole[:length])


@settings(max_examples=50)
@given(st.binary(max_size=300))
def test_noise_never_crashes(noise: bytes) -> None:
    for data in (noise, deflated(noise), deflated({"model": "a", "tensors": noise})):
        with pytest.raises(StreamError):
            Identity.parse(data)


def bombs() -> list[bytes]:
    """Bodies of a few kilobytes that unfold to millions of objects."""
    many = (1 << 22) - 9
    lists = b"\xdd" + struct.pack(">I", many) + b"\x90" * many  # [[], [], …]
    larger = lists + bytes(9)
    nested = b"\x9f" * 511 + b"\x90" * 100_000
    tensors = msgpack.packb({"model": "a", "sha256": SHA256, "tensors": {"x": [[]] * 60_000}})
    maps = msgpack.packb({"model": "a", "sha256": SHA256, "tensors": [[{}] * 200] * 200})
    deep = b"\x91" * (1 << 20)
    return [deflate(data) for data in (lists, larger, nested, tensors, maps, deep)]


@pytest.mark.parametrize("number", range(6))
def test_a_bomb_takes_no_memory(number: int) -> None:
    """Four packets took 309 MB once. Now only the inflated body takes memory, at most 4 MiB."""
    body = bombs()[number]
    parts = [body[at : at + FRAGMENT_BYTES] for at in range(0, len(body), FRAGMENT_BYTES)]
    assembler = IdentityAssembler()
    packets = [
        Packet(
            Kind.IDENTITY,
            Flags.NONE,
            0,
            0,
            0,
            struct.pack("<HH8s", index, len(parts), identity_id(body)) + part,
        )
        for index, part in enumerate(parts)
    ]
    for packet in packets[:-1]:
        assert assembler.push(packet) is None
    tracemalloc.start()
    with pytest.raises(StreamError):
        assembler.push(packets[-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


def test_nothing_is_unpacked_under_a_wrong_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(body: bytes) -> Identity:
        raise AssertionError("parsed before its hash was checked")

    monkeypatch.setattr(Identity, "parse", never)
    packets = introduce(made(), 0)
    last = packets[-1]
    changed = last.payload[:-1] + bytes([last.payload[-1] ^ 1])
    assembler = IdentityAssembler()
    for packet in packets[:-1]:
        assembler.push(packet)
    with pytest.raises(DamagedError):
        assembler.push(dataclasses.replace(last, payload=changed))


def test_packets_are_small_few_and_numbered() -> None:
    identity = made(8000)
    packets = introduce(identity, 65_500, 70_000)
    assert len(packets) <= MAX_FRAGMENTS
    assert all(len(bytes(packet)) <= MAX_DATAGRAM for packet in packets)
    assert [p.sequence for p in packets] == [(65_500 + i) % 65_536 for i in range(len(packets))]
    assert {p.kind for p in packets} == {Kind.IDENTITY}


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_parts_come_in_any_order_and_twice(random: Any) -> None:
    identity = made()
    packets = [Packet.parse(bytes(p)) for p in introduce(identity, 0)]
    packets += random.sample(packets, len(packets) // 2)
    random.shuffle(packets)
    assembler = IdentityAssembler()
    whole = [found for p in packets if (found := assembler.push(p)) is not None]
    assert whole
    assert {w.body for w in whole} == {identity.body}


def test_a_second_sending_completes_the_first() -> None:
    identity, assembler = made(), IdentityAssembler()
    packets = introduce(identity, 0)
    assert all(assembler.push(p) is None for p in packets[1:])
    assert assembler.push(packets[0]) == identity


def test_parts_of_two_identities_never_mix() -> None:
    one, two = made(seed=1), made(seed=2)
    assembler = IdentityAssembler()
    first, second = introduce(one, 0), introduce(two, 0)
    assert all(assembler.push(p) is None for p in (*first[:-1], *second[:-1], first[-1]))
    assert assembler.push(second[-1]) is None  # the last packet's parts alone are kept
    assert [w for p in second if (w := assembler.push(p))] == [two]


def test_a_damaged_part_is_noticed_when_all_have_come() -> None:
    assembler, packets = IdentityAssembler(), introduce(made(), 0)
    payload = packets[1].payload[:-1] + bytes([packets[1].payload[-1] ^ 1])
    packets[1] = Packet(Kind.IDENTITY, packets[1].flags, 0, 1, 0, payload)
    assert all(assembler.push(packet) is None for packet in packets[:-1])
    with pytest.raises(StreamError):
        assembler.push(packets[-1])
    assert [w for p in introduce(made(), 0) if (w := assembler.push(p))] == [made()]


@pytest.mark.parametrize(
    ("kind", "payload", "error"),
    [
        (Kind.IDENTITY, b"", TruncatedError),
        (Kind.IDENTITY, bytes(12), TruncatedError),
        (Kind.IDENTITY, struct.pack("<HH8sB", 1, 1, bytes(8), 0), StreamError),
        (Kind.IDENTITY, struct.pack("<HH8sB", 0, MAX_FRAGMENTS + 1, bytes(8), 0), StreamError),
        (Kind.IDENTITY, struct.pack("<HH8s", 0, 2, bytes(8)) + bytes(3000), StreamError),
        (Kind.KEYFRAME, struct.pack("<HH8sB", 0, 1, bytes(8), 0), StreamError),
    ],
)
def test_bad_parts_are_refused(kind: Kind, payload: bytes, error: type[FacewireError]) -> None:
    with pytest.raises(error):
        IdentityAssembler().push(Packet(kind, Flags.NONE, 0, 0, 0, payload))


def test_the_stream_header_names_the_identity() -> None:
    plain = StreamHeader("avfr-s", SHA256)
    assert StreamHeader.from_payload(plain.to_payload()).identity is None
    named = StreamHeader("avfr-s", SHA256, identity=made().id)
    assert StreamHeader.from_payload(named.to_payload()) == named
    with pytest.raises(ConfigError, match="8 bytes"):
        StreamHeader("avfr-s", SHA256, identity=b"short")
    for value in (b"short", "12345678", 8, None):
        fields = {**msgpack.unpackb(plain.to_payload()), "identity": value}
        with pytest.raises(StreamError):
            StreamHeader.from_payload(msgpack.packb(fields))


def test_an_identity_counts_as_keyframe_and_is_found_by_a_seek(
    tmp_path: Path,
) -> None:
    header = StreamHeader("avfr-s", SHA256, identity=made().id)
    packets = [header.to_packet(0), *introduce(made(), 1), *make_keyframe().to_packets(40)]
    count = BitCount()
    with (tmp_path / "a.fwire").open("w+b") as file:
        writer = Writer(file)
        for packet in packets:
            writer.write(packet)
            count.add(packet)
        writer.close()
        assert count.bits["keyframe"] == 8 * sum(len(p.payload) for p in packets[1:])
        file.seek(0)
        reader = Reader(file)
        reader.seek(0)
        assert [p.kind for p in reader] == [p.kind for p in packets]
