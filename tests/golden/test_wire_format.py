"""docs/wire-format.md read literally: a decoder that shares no code with the codec."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import msgpack
import numpy as np
import pytest

from facewire.codec import (
    Identity,
    IdentityAssembler,
    Keyframe,
    KeyframeAssembler,
    Kind,
    Reader,
    StreamHeader,
    parse_motion,
)
from facewire.models.shape import unpack_shape

STREAMS = sorted(Path(__file__).parent.glob("v1-*.fwire"))


def records(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Offsets and packets of a file, and its trailer."""
    assert data[:8] == b"\x93FWIRE\x01\x00"
    assert struct.unpack_from("<I", data, 8)[0] == zlib.crc32(data[:8])
    at, found = 12, []
    while data[at] == 0xFA:
        length, start = data[at + 1], at + 2
        if length & 0x80:
            length, start = (length & 0x7F) | data[at + 2] << 7, at + 3
        end = start + length
        assert struct.unpack_from("<I", data, end)[0] == zlib.crc32(data[at + 1 : end])
        found.append((at, data[start:end]))
        at = end + 4
    return found, data[at:]


def shape_of(data: bytes) -> np.ndarray:
    raw = zlib.decompress(data, -15)
    escaped = iter(struct.unpack(f"<{(len(raw) - 292) // 2}H", raw[292:]))
    folded = [next(escaped) if byte == 255 else byte for byte in raw[:292]]
    delta = [n // 2 if n % 2 == 0 else -(n + 1) // 2 for n in folded]
    return np.stack([np.cumsum(delta[:146]), np.cumsum(delta[146:])], axis=1) / 512


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_strangers_decoder_finds_the_same(path: Path) -> None:
    data = path.read_bytes()
    found, trailer = records(data)
    with path.open("rb") as file:
        packets = list(Reader(file))
    assert [bytes(packet) for packet in packets] == [packet for _, packet in found]
    assembler, parts, motion = KeyframeAssembler(), dict[int, bytes](), 0
    introductions, keyframes = IdentityAssembler(), list[int]()
    for (_, raw), packet in zip(found, packets, strict=True):
        kind, tail, sequence, pts = struct.unpack_from("<BBHH", raw)
        assert (kind, tail >> 4, tail & 15) == (packet.kind, packet.flags, packet.reference)
        assert (sequence, pts) == (packet.sequence, packet.pts)
        payload = raw[6:]
        if kind == 1:
            fields, header = msgpack.unpackb(payload), StreamHeader.from_payload(payload)
            assert fields["tick"] == list(header.time_base.as_integer_ratio())
            assert fields["sha256"] == header.weights_sha256
            assert ("audio" in fields) == (header.audio is not None)
        elif kind == 2:
            index, count, check = struct.unpack_from("<BBI", payload)
            parts[index] = payload[6:]
            keyframe = assembler.push(packet)
            if len(parts) == count:
                body = b"".join(parts[n] for n in range(count))
                assert zlib.crc32(body) == check
                assert keyframe is not None
                keyframes.append(check_body(body, keyframe))
                parts.clear()
        elif kind == 3:
            assert len(payload) == 120
            numbers = np.array(struct.unpack("<60e", payload)).reshape(10, 6)
            assert np.array_equal(parse_motion("fp16", payload).to_array(), numbers)
            motion += 1
        elif kind == 7:
            index, count, name = struct.unpack_from("<HH8s", payload)
            parts[index] = payload[12:]
            identity = introductions.push(packet)
            if len(parts) == count:
                body = b"".join(parts[n] for n in range(count))
                assert hashlib.sha256(body).digest()[:8] == name == fields["identity"]
                assert identity is not None
                check_identity(body, identity)
                parts.clear()
    check_trailer(trailer, found, keyframes, motion)


def check_identity(body: bytes, identity: Identity) -> None:
    fields = msgpack.unpackb(zlib.decompress(body, -15))
    assert (fields["model"], fields["sha256"]) == (identity.model, identity.weights_sha256)
    assert list(fields["tensors"]) == list(identity.changes)
    for name, tensor in fields["tensors"].items():
        rows, *rest = tensor["shape"]
        steps = np.frombuffer(tensor["steps"], "<f4").reshape(rows, *[1] * len(rest))
        delta = np.frombuffer(tensor["levels"], np.int8).reshape(tensor["shape"]) * steps
        assert np.array_equal(identity.changes[name].delta(), delta)


def check_body(body: bytes, keyframe: Keyframe) -> int:
    pts, codec, quality, length = struct.unpack_from("<qBBH", body)
    shape, picture = body[132 : 132 + length], body[132 + length :]
    assert (pts, codec, quality) == (keyframe.pts, keyframe.picture.codec, keyframe.picture.quality)
    assert picture == keyframe.picture.data
    assert body[12:132] == keyframe.motion.to_fp16()
    assert np.array_equal(shape_of(shape), unpack_shape(shape))
    return int(pts)


def check_trailer(
    trailer: bytes, found: list[tuple[int, bytes]], keyframes: list[int], motion: int
) -> None:
    mark, count, packets = struct.unpack_from("<BII", trailer)
    assert (mark, count, packets) == (5, len(keyframes), motion)
    crc, length, magic = struct.unpack("<II4s", trailer[-12:])
    assert (crc, length, magic) == (zlib.crc32(trailer[:-12]), len(trailer), b"FWIX")
    streams = [offset for offset, packet in found if packet[0] == Kind.STREAM]
    entries = list(struct.iter_unpack("<qQ", trailer[9:-12]))
    assert entries == list(zip(keyframes, streams, strict=True))
