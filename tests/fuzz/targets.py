"""What is attacked: one function a reader, which makes a case, feeds it, and counts its parts."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from facewire.call.pack import Datagram
from facewire.codec.base_packets import BaseAssembler, BaseGroup
from facewire.codec.control import Clock, Control, Missing, Received, Wants
from facewire.codec.errors import FacewireError, MotionError, StreamError, UnsupportedError
from facewire.codec.file.container import HEAD_BYTES, Reader
from facewire.codec.file.records import pack_record
from facewire.codec.identity import Identity
from facewire.codec.identity_packets import IdentityAssembler
from facewire.codec.keyframe import Keyframe, KeyframeAssembler
from facewire.codec.light import LightGroup
from facewire.codec.motion.profiles import Profile, motion_reader, motion_ticks
from facewire.codec.packet import MAX_PAYLOAD, Flags, Kind, Packet
from facewire.codec.picture.chain import MAX_FRAME, ChainDecoder
from facewire.codec.picture.still import CodedPicture, decode_picture
from facewire.codec.sound.opus import OpusDecoder
from facewire.codec.stream import StreamHeader
from facewire.models.face.mesh import POINTS
from facewire.receiver.config import DecoderConfig
from facewire.receiver.decoder import Decoder
from facewire.receiver.files.player import file_config

from .mutations import base_packets, change_packets, identity_packets, keyframe_packets, mutate

__all__ = ["TARGETS", "Attack"]

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
Attack = Callable[[Random], int]
"""Makes a case from random numbers and feeds it; returns how many streams and packets it was."""
_REFUSED = (StreamError, MotionError)
"""What the codec's readers may raise."""


@dataclass(frozen=True)
class Sample:
    """A golden stream and what is in it."""

    data: bytes
    packets: list[Packet]
    header: StreamHeader
    bodies: list[bytes]
    keyframes: list[Keyframe]
    motion: list[Packet]
    sound: list[bytes]


class Corpus:
    """The golden streams, read when they are first needed."""

    @cached_property
    def samples(self) -> list[Sample]:
        return [_sample(path) for path in sorted(GOLDEN.glob("*.fwire"))]

    @cached_property
    def packets(self) -> list[Packet]:
        return [packet for sample in self.samples for packet in sample.packets]

    @cached_property
    def raw(self) -> list[bytes]:
        return [bytes(packet) for packet in self.packets]

    @cached_property
    def payloads(self) -> list[bytes]:
        return [packet.payload for packet in self.packets]

    @cached_property
    def identities(self) -> list[bytes]:
        assembler = IdentityAssembler()
        return [
            identity.body
            for packet in self.packets
            if packet.kind == Kind.IDENTITY and (identity := assembler.push(packet))
        ]

    @cached_property
    def groups(self) -> list[BaseGroup]:
        assembler = BaseAssembler()
        return [
            group
            for packet in self.packets
            if packet.kind == Kind.BASE and (group := assembler.push(packet))
        ]

    @cached_property
    def chained(self) -> set[bytes]:
        """The stills that the first chain follows."""
        sample = next(s for s in self.samples if any(p.kind == Kind.BASE for p in s.packets))
        reference = self.groups[0].reference
        return {known.picture.data for known in sample.keyframes if known.id == reference}

    @cached_property
    def stills(self) -> list[tuple[CodedPicture, CodedPicture | None]]:
        found: list[tuple[CodedPicture, CodedPicture | None]] = []
        for sample in self.samples:
            known = {keyframe.id: keyframe.picture for keyframe in sample.keyframes}
            for keyframe in sample.keyframes:
                after = None if keyframe.base is None else known[keyframe.base]
                found.append((keyframe.picture, after))
        return found


def _sample(path: Path) -> Sample:
    data = path.read_bytes()
    packets = list(Reader(io.BytesIO(data)))
    assembler = KeyframeAssembler()
    keyframes = [
        keyframe
        for packet in packets
        if packet.kind == Kind.KEYFRAME and (keyframe := assembler.push(packet))
    ]
    return Sample(
        data,
        packets,
        StreamHeader.from_payload(packets[0].payload),
        [bytes(keyframe) for keyframe in keyframes],
        keyframes,
        [packet for packet in packets if packet.kind == Kind.MOTION],
        [packet.payload for packet in packets if packet.kind == Kind.AUDIO],
    )


CORPUS = Corpus()


def attack_packet(rng: Random) -> int:
    """`Packet.parse`, and what it gives back as bytes."""
    data = mutate(rng, rng.choice(CORPUS.raw), CORPUS.raw)
    with suppress(StreamError):
        packet = Packet.parse(data)
        assert Packet.parse(bytes(packet)) == packet
    return 1


def attack_datagram(rng: Random) -> int:
    """`Datagram.parse`."""
    start = rng.randrange(len(CORPUS.packets))
    first = CORPUS.packets[start].sequence
    packets = tuple(
        replace(packet, sequence=(first + index) % 65536)
        for index, packet in enumerate(CORPUS.packets[start : start + rng.choice((1, 2, 5))])
        if len(packet.payload) < 200
    )
    data = mutate(rng, bytes(Datagram(1, 2, 3, packets)), CORPUS.raw)
    with suppress(StreamError):
        return 1 + len(Datagram.parse(data).packets)
    return 1


def attack_control(rng: Random) -> int:
    """`Control.from_payload`."""
    control = Control(
        session=rng.randrange(1 << 32),
        received=Received(rng.randrange(65536), rng.getrandbits(256)),
        missing=Missing(3, 77, (1, 2, 9)),
        clock=Clock(1, 2, 3),
        wants=Wants.KEYFRAME,
    )
    data = mutate(rng, control.to_payload(), [control.to_payload()])
    with suppress(StreamError):
        again = Control.from_payload(data)
        if again.received is not None:
            assert len(list(again.received.numbers())) <= 257
    return 1


def attack_header(rng: Random) -> int:
    """`StreamHeader.from_payload`: changed bytes, or a changed field."""
    payload = rng.choice(CORPUS.samples).header.to_payload()
    if rng.random() < 0.5:
        payload = mutate(rng, payload, CORPUS.payloads)
    else:
        payload = msgpack.packb(_other_fields(rng, payload))
    with suppress(StreamError):
        header = StreamHeader.from_payload(payload)
        assert StreamHeader.from_payload(header.to_payload()) == header
    return 1


def _other_fields(rng: Random, payload: bytes) -> dict[str, Any]:
    """A header's fields, of which one or two have an odd value or an odd value inside."""
    fields: dict[str, Any] = msgpack.unpackb(payload)
    for _ in range(rng.choice((1, 2))):
        inside: Any = fields
        key = rng.choice(sorted(fields))
        if isinstance(fields[key], dict | list) and fields[key] and rng.random() < 0.7:
            inside = fields[key]
            key = rng.choice(sorted(inside)) if isinstance(inside, dict) else 0
        inside[key] = _odd_value(rng)
    return fields


def _odd_value(rng: Random) -> Any:
    return rng.choice(
        (0, 1, -1, 2**63, 0.5, None, True, "", "x" * 70, b"", [], {}, [0, 0], [1, 2**40], [[{}]])
    )


def attack_keyframe(rng: Random) -> int:
    """`KeyframeAssembler`: changed fragments, or the right fragments of a changed body."""
    sample = rng.choice(CORPUS.samples)
    packets = [packet for packet in sample.packets if packet.kind == Kind.KEYFRAME]
    if rng.random() < 0.5:
        packets = change_packets(rng, packets, CORPUS.packets)
    else:
        body = mutate(rng, rng.choice(sample.bodies), sample.bodies)
        packets = keyframe_packets(body, rng.randrange(16), rng.randrange(65536))
        rng.shuffle(packets)
    assembler = KeyframeAssembler()
    for packet in packets:
        with suppress(*_REFUSED):
            assembler.push(packet)
    return 1 + len(packets)


def attack_identity(rng: Random) -> int:
    """`IdentityAssembler` and `Identity.parse`: changed before or after it was packed."""
    body = rng.choice(CORPUS.identities)
    if rng.random() < 0.5:
        body = mutate(rng, body)
    else:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        inside = mutate(rng, zlib.decompress(body, -15))
        if rng.random() < 0.1:
            inside += bytes([rng.choice((0x80, 0x90, 0xC0))]) * rng.choice((1000, 1 << 20, 5 << 20))
        body = packer.compress(inside) + packer.flush()
    packets = identity_packets(body)
    if rng.random() < 0.3:
        packets = change_packets(rng, packets, CORPUS.packets) if packets else []
    assembler = IdentityAssembler()
    for packet in packets:
        with suppress(StreamError):
            assembler.push(packet)
    with suppress(StreamError):
        Identity.parse(body)
    return 2 + len(packets)


def attack_motion(rng: Random) -> int:
    """All motion profiles: a stream of changed payloads through one decoder."""
    sample = rng.choice(CORPUS.samples)
    profile = Profile(sample.header.profile)
    if rng.random() < 0.1:
        profile = rng.choice(list(Profile))
    reader = motion_reader(profile, rng.choice((1, 2, 3)) if profile == Profile.ENTROPY else 1)
    key = sample.keyframes[0].motion
    payloads = [packet.payload for packet in sample.motion]
    packets = sample.motion[: rng.choice((1, 2, 8))]
    for packet in packets:
        payload = packet.payload
        if rng.random() < 0.7:
            payload = mutate(rng, payload, payloads)[:MAX_PAYLOAD]
        with suppress(*_REFUSED):
            ticks = motion_ticks(profile, payload)
            frames = reader.decode(payload, packet.pts, rng.choice((packet.reference, 3)), key)
            assert [tick for tick, _ in frames] == ticks
    return 1 + len(packets)


def attack_still(rng: Random) -> int:
    """`decode_picture` of every still codec, and of pictures after another one."""
    picture, after = rng.choice(CORPUS.stills)
    data = mutate(rng, picture.data, [still.data for still, _ in CORPUS.stills])
    if rng.random() < 0.2 and after is not None:
        after = rng.choice(CORPUS.stills)[0]
    if data:
        with suppress(StreamError):
            rgb = decode_picture(replace(picture, data=data[:65535]), after)
            assert rgb.size <= 3 << 20
    return 1


def attack_base(rng: Random) -> int:
    """`BaseAssembler`: changed parts, or the right parts of a changed body."""
    packets = [packet for packet in CORPUS.packets if packet.kind == Kind.BASE]
    if rng.random() < 0.5:
        packets = change_packets(rng, packets, CORPUS.packets)
    else:
        bodies = [group.body() for group in CORPUS.groups]
        packets = base_packets(mutate(rng, rng.choice(bodies), bodies), rng.randrange(65536))
        rng.shuffle(packets)
    assembler = BaseAssembler()
    for packet in packets:
        with suppress(StreamError):
            assembler.push(packet)
    return 1 + len(packets)


def attack_light(rng: Random) -> int:
    """`LightGroup`: changed packets, or any bytes."""
    packets = [packet for packet in CORPUS.packets if packet.kind == Kind.LIGHT]
    packets = change_packets(rng, packets, CORPUS.packets)
    packets.append(Packet(Kind.LIGHT, Flags.INTRA, 0, 0, 0, rng.randbytes(rng.randrange(200))))
    for packet in packets:
        with suppress(StreamError):
            LightGroup.from_packet(packet)
    return len(packets)


def attack_chain(rng: Random) -> int:
    """`ChainDecoder`: changed, lost and mixed frames after the right still, or after another."""
    group = CORPUS.groups[0]
    still = next(picture for picture, _ in CORPUS.stills if picture.data in CORPUS.chained)
    if rng.random() < 0.2:
        still = rng.choice(CORPUS.stills)[0]
    frames = [data for _, data in group.frames]
    with suppress(StreamError):
        decoder = ChainDecoder(still)
        for data in rng.choices(frames, k=3) if rng.random() < 0.2 else frames[:3]:
            rgb = decoder.decode(mutate(rng, data, frames)[:MAX_FRAME])
            assert rgb.size <= 3 << 20
    return 3


def attack_sound(rng: Random) -> int:
    """`OpusDecoder`: a stream of changed and lost packets."""
    sound = [payload for sample in CORPUS.samples for payload in sample.sound]
    decoder, count = OpusDecoder(), rng.choice((1, 3, 12))
    for payload in rng.sample(sound, count):
        with suppress(StreamError):
            lost = rng.random() < 0.1
            pcm = decoder.decode(None if lost else mutate(rng, payload, sound))
            assert len(pcm) <= 1920
    return 1 + count


def attack_file(rng: Random) -> int:
    """`Reader`: reading, seeking, with and without an index."""
    sample = rng.choice(CORPUS.samples)
    data = sample.data
    if rng.random() < 0.5:
        data = mutate(rng, data, CORPUS.raw)
        if rng.random() < 0.5:
            data = data[:HEAD_BYTES] + rng.choice((b"\xfa", b"\x05", b"\xfa\xff\x1f", b"\0")) * (
                rng.choice((10, 1000, 20_000))
            )
    else:
        packets = change_packets(rng, sample.packets, CORPUS.packets)
        data = data[:HEAD_BYTES] + b"".join(pack_record(bytes(packet)) for packet in packets)
        data += _trailer(rng)
    count = 1
    with suppress(StreamError):
        reader = Reader(io.BytesIO(data))
        for packet in reader:
            count += 1
            if rng.random() < 0.05 and count < 200:
                reader.seek(rng.choice((0, packet.pts, -1, 1 << 40)))
        assert reader.damaged >= 0
        assert len(reader.index) <= 4096
    return count


def _trailer(rng: Random) -> bytes:
    """A trailer with a right checksum, whatever it says."""
    entries = rng.choice((0, 1, 3, 30))
    body = struct.pack("<BII", 5, entries, rng.getrandbits(32))
    for _ in range(entries):
        body += struct.pack(
            "<qQ", rng.getrandbits(64) - (1 << 63), rng.getrandbits(rng.choice((9, 64)))
        )
    return body + struct.pack("<II4s", zlib.crc32(body), len(body) + 12, b"FWIX")


class NullGenerator:
    """In place of the network: shows the reference."""

    def set_source(self, rgb: npt.NDArray[np.uint8], motion: Any, points: Any) -> Any:
        return rgb

    def points(self, source: Any, motion: Any) -> npt.NDArray[np.float32]:
        return np.zeros((len(POINTS), 2), np.float32)

    def render(self, source: Any, motion: Any, mel: Any) -> npt.NDArray[np.uint8]:
        return np.asarray(source)


def attack_decoder(rng: Random) -> int:
    """`Decoder.decode`: whole streams, some with keyframes whose body was changed."""
    sample = rng.choice(CORPUS.samples)
    packets: list[Packet | bytes] = []
    for packet in change_packets(rng, sample.packets, CORPUS.packets):
        packets.append(packet)
        if rng.random() < 0.05:
            packets.append(mutate(rng, bytes(packet), CORPUS.raw))
        if rng.random() < 0.05:
            body = mutate(rng, rng.choice(sample.bodies), sample.bodies)
            packets += keyframe_packets(body, rng.randrange(16), packet.pts)
        if rng.random() < 0.03:
            far = rng.choice((1, -1)) * rng.choice((70_000, 25 * 365 * 86_400, (1 << 63) - 1))
            body = struct.pack("<q", far) + rng.choice(sample.bodies)[8:]
            packets += keyframe_packets(body, rng.randrange(16), far)
        if rng.random() < 0.02:
            packets.append(_other_header(rng, sample))
    config = rng.choice((DecoderConfig(), file_config()))
    decoder = Decoder(config, NullGenerator())
    for packet in packets:
        with suppress(UnsupportedError):
            decoder.decode(packet)
    decoder.flush()
    return 1 + len(packets)


def _other_header(rng: Random, sample: Sample) -> Packet:
    """A STREAM packet that means something else and is well formed."""
    header = sample.header
    changes: list[dict[str, Any]] = [
        {"fps": Fraction(rng.choice((1, 1000)), rng.choice((1, 999)))},
        {"time_base": Fraction(rng.choice((1, 10)), rng.choice((1, 25, 90_000)))},
        {"width": rng.choice((64, 258, 1024))},
        {"audio": None},
        {"profile": rng.choice(list(Profile))},
        {"tables": rng.choice((1, 2, 3))},
        {"model": "avfr-x"},
        {"identity": bytes(8)},
    ]
    with suppress(FacewireError):
        header = replace(header, **rng.choice(changes))
    return header.to_packet(rng.randrange(65536), rng.randrange(65536))


TARGETS: dict[str, Attack] = {
    function.__name__.removeprefix("attack_"): function
    for function in (
        attack_packet,
        attack_datagram,
        attack_control,
        attack_header,
        attack_keyframe,
        attack_identity,
        attack_motion,
        attack_still,
        attack_base,
        attack_light,
        attack_chain,
        attack_sound,
        attack_file,
        attack_decoder,
    )
}
