"""A decoder that follows docs/wire-format.md literally and shares no code with the codec."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import msgpack
import numpy as np
import pytest

from facewire.codec.base_packets import BaseAssembler
from facewire.codec.file.container import Reader
from facewire.codec.identity import Identity
from facewire.codec.identity_packets import IdentityAssembler
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.motion import tables as motion_tables
from facewire.codec.motion.entropy import MotionDecoder
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.pose import PoseDecoder, PoseFrame
from facewire.codec.motion.tables import load_pose_tables, load_tables
from facewire.codec.packet import Kind
from facewire.codec.stream import StreamHeader
from facewire.models.face.shape import unpack_shape

TABLES = Path(motion_tables.__file__).parent
STREAMS = sorted(Path(__file__).parent.glob("v1-*.fwire"))


def records(data: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Offsets and packets of the records in a file, and the bytes of its trailer."""
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


class Stranger:
    """Profiles `entropy` and `pose` as documented, with the code as one long fraction: no bytes, no
    carries.
    """

    def __init__(self, tables_file: str) -> None:
        with np.load(TABLES / tables_file) as tables:
            self.difference = tables["difference"].astype(int).tolist()
            self.intra = tables["intra"].astype(int).tolist()
        self.known: dict[tuple[int, int], tuple[list[int], list[int], list[int]]] = {}

    def frames(self, payload: bytes, pts: int, keyframe: int) -> list[tuple[int, list[int]]]:
        size, several = payload[0] & 7, payload[0] >> 3 & 1
        back = int.from_bytes(payload[1 : 1 + size], "little")
        count, stride = payload[1 + size : 3 + size] if several else (0, 1)
        code = payload[1 + size + 2 * several :]
        # low and range as exact fractions of 2 ** (8 * shift), the number itself for comparison
        self.low, self.range, self.shift = 0, (1 << 32) - 1, 0
        self.number = lambda shift: int.from_bytes(code.ljust(4 + shift, b"\0")[: 4 + shift], "big")
        state = self.known[keyframe, (pts - back) % 65536] if back else None
        result = []
        for index in range(count + 1):
            state = self.one(state)
            self.known[keyframe, (pts + index * stride) % 65536] = state
            result.append((index * stride, state[0]))
        return result

    def one(
        self, state: tuple[list[int], list[int], list[int]] | None
    ) -> tuple[list[int], list[int], list[int]]:
        if state is None:
            values = [self.rest(self.symbol(table)) for table in self.intra]
            return values, [0] * len(values), [0] * len(values)
        found: list[int] = []
        for i, (a, b) in enumerate(zip(state[1], state[2], strict=True)):
            left = [0, 0, *map(abs, found)]
            total = 2 * a + b + 2 * left[-1] + left[-2]
            context = sum(bound <= total for bound in (1, 2, 3, 5, 8, 13, 21, 37))
            symbol = self.symbol(self.difference[i][context])
            found.append(self.rest(self.bits(4)) if symbol == 31 else symbol - 15)
        values = [q + d for q, d in zip(state[0], found, strict=True)]
        return values, [abs(d) for d in found], state[1]

    def symbol(self, frequencies: list[int]) -> int:
        place = (self.number(self.shift) - self.low) // (self.range >> 14)
        start = 0
        for symbol, frequency in enumerate(frequencies):
            if place < start + frequency or symbol == len(frequencies) - 1:
                self.narrow(start, start + frequency, 14)
                return symbol
            start += frequency
        raise AssertionError

    def bits(self, count: int) -> int:
        value = (self.number(self.shift) - self.low) // (self.range >> count)
        self.narrow(value, value + 1, count)
        return value

    def rest(self, size: int) -> int:
        if not size:
            return 0
        sign = -1 if self.bits(1) else 1
        return sign * ((1 << size - 1) + (self.bits(size - 1) if size > 1 else 0))

    def narrow(self, start: int, end: int, bits: int) -> None:
        share = self.range >> bits
        self.low, self.range = self.low + start * share, (end - start) * share
        while self.range < 1 << 24:
            self.low, self.range, self.shift = self.low << 8, self.range << 8, self.shift + 1


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_strangers_decoder_finds_the_same(path: Path) -> None:
    data = path.read_bytes()
    found, trailer = records(data)
    with path.open("rb") as file:
        packets = list(Reader(file))
    assert [bytes(packet) for packet in packets] == [packet for _, packet in found]
    assembler, parts, motion = KeyframeAssembler(), dict[int, bytes](), 0
    introductions, keyframes = IdentityAssembler(), list[int]()
    groups = BaseAssembler()
    for (_, raw), packet in zip(found, packets, strict=True):
        kind, tail, sequence, pts = struct.unpack_from("<BBHH", raw)
        assert (kind, tail >> 4, tail & 15) == (packet.kind, packet.flags, packet.reference)
        assert (sequence, pts) == (packet.sequence, packet.pts)
        payload = raw[6:]
        if kind not in (2, 4, 7):  # sound and identity may come between STREAM and KEYFRAME
            joining = kind == 1
        if kind == 1:
            fields, header = msgpack.unpackb(payload), StreamHeader.from_payload(payload)
            if not motion and header.profile == "entropy":
                version = fields["tables"]
                decoder = MotionDecoder(load_tables(version))
                stranger = Stranger(f"tables_{version}.npz")
            elif not motion and header.profile == "pose":
                decoder = PoseDecoder(load_pose_tables(fields["tables"]))
                stranger = Stranger(f"pose_{fields['tables']}.npz")
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
                check_body(body, keyframe)
                if joining:
                    keyframes.append(keyframe.pts)
                parts.clear()
        elif kind == 3:
            motion += 1
            if header.profile in ("entropy", "pose"):
                expected = decoder.decode_integers(payload, packet.pts, packet.reference)
                assert stranger.frames(payload, packet.pts, packet.reference) == expected
                assert header.gaze == (len(expected[0][1]) == 50)
            elif header.profile == "pose-fp16":
                assert len(payload) == 10
                pose = PoseFrame.from_fp16(payload)
                read = (pose.yaw, pose.pitch, pose.roll, pose.right, pose.left)
                assert read == struct.unpack("<5e", payload)
            else:
                assert len(payload) == 120
                numbers = np.array(struct.unpack("<60e", payload)).reshape(10, 6)
                assert np.array_equal(MotionFrame.from_fp16(payload).to_array(), numbers)
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
        elif kind == 8:
            index, count, check = struct.unpack_from("<BBH", payload, 4)
            parts[index] = payload[8:]
            group = groups.push(packet)
            if len(parts) == count:
                body = b"".join(parts[n] for n in range(count))
                assert zlib.crc32(body) & 0xFFFF == check
                assert group is not None
                head = struct.unpack_from("<BHB", payload)
                assert head == (group.chain, group.index, group.quality)
                assert frames_of(body) == list(group.frames)
                parts.clear()
    check_trailer(trailer, found, keyframes, motion)


def frames_of(body: bytes) -> list[tuple[int, bytes]]:
    """Frames of a group of the base layer."""
    frames = []
    while body:
        after, length, at = body[0], 0, 1
        for shift in (0, 7, 14):
            length |= (body[at] & 0x7F) << shift
            at += 1
            if not body[at - 1] & 0x80:
                break
        frames.append((after, body[at : at + length]))
        body = body[at + length :]
    return frames


def check_identity(body: bytes, identity: Identity) -> None:
    fields = msgpack.unpackb(zlib.decompress(body, -15))
    assert (fields["model"], fields["sha256"]) == (identity.model, identity.weights_sha256)
    assert list(fields["tensors"]) == list(identity.changes)
    for name, tensor in fields["tensors"].items():
        rows, *rest = tensor["shape"]
        steps = np.frombuffer(tensor["steps"], "<f4").reshape(rows, *[1] * len(rest))
        delta = np.frombuffer(tensor["levels"], np.int8).reshape(tensor["shape"]) * steps
        assert np.array_equal(identity.changes[name].delta(), delta)


def check_body(body: bytes, keyframe: Keyframe) -> None:
    pts, codec, quality, length = struct.unpack_from("<qBBH", body)
    start, gaze, length = 132, (0, 0), length & 0x7FFF
    if body[11] & 0x80:
        start, gaze = 134, struct.unpack_from("<bb", body, 132)
        assert any(gaze)
    shape, picture = body[start : start + length], body[start + length :]
    assert np.array_equal(keyframe.motion.gaze, np.float32(gaze) / np.float32(127))
    assert (pts, codec, quality) == (keyframe.pts, keyframe.picture.codec, keyframe.picture.quality)
    assert picture == keyframe.picture.data
    assert body[12:132] == keyframe.motion.to_fp16()
    if length == 1:
        assert keyframe.base == shape[0]
    else:
        assert keyframe.base is None
        assert np.array_equal(shape_of(shape), unpack_shape(shape))


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
