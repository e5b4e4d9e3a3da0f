"""Random changes to bytes and to lists of packets."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from facewire.codec.base_packets import PART_BYTES
from facewire.codec.identity import ID_BYTES
from facewire.codec.identity_packets import FRAGMENT_BYTES as IDENTITY_PART
from facewire.codec.keyframe import FRAGMENT_BYTES as KEYFRAME_PART
from facewire.codec.packet import MAX_PAYLOAD, Flags, Kind, Packet

__all__ = ["base_packets", "change_packets", "identity_packets", "keyframe_packets", "mutate"]

_EDGES = (0, 1, 5, 16, 64, 127, 128, 254, 255, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_KEYFRAME = struct.Struct("<BBI")
_IDENTITY = struct.Struct(f"<HH{ID_BYTES}s")


def mutate(rng: Random, data: bytes, others: Sequence[bytes] = (b"",)) -> bytes:
    """Change some bytes: flipped, overwritten, cut, repeated, or taken from another sample."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 5, 9))):
        at = rng.randrange(len(changed) + 1)
        end = min(len(changed), at + rng.choice((1, 2, 4, 8, 40, 300)))
        kind = rng.randrange(8)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(changed):
            changed[at] = rng.randrange(256)
        elif kind == 2:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_EDGES) % (1 << 8 * width)
            changed[at : at + width] = number.to_bytes(width, "little")
        elif kind == 3:
            del changed[at:end]
        elif kind == 4:
            changed[at:at] = changed[at:end] * rng.choice((1, 1, 2, 30))
        elif kind == 5:
            changed[at:at] = rng.randbytes(rng.choice((1, 2, 8, 100)))
        elif kind == 6:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            changed[at:end] = other[start : start + rng.choice((1, 4, 16, 200))]
        else:
            del changed[at:]
    return bytes(changed)


def keyframe_packets(body: bytes, reference: int, pts: int) -> list[Packet]:
    """Any body as fragments with the right checksum, so that it is read."""
    parts = [body[at : at + KEYFRAME_PART] for at in range(0, len(body), KEYFRAME_PART)][:255]
    check = zlib.crc32(body)
    return [
        Packet(
            Kind.KEYFRAME,
            Flags.INTRA,
            reference,
            0,
            pts % 65536,
            _KEYFRAME.pack(index, len(parts), check) + part,
        )
        for index, part in enumerate(parts)
    ]


def base_packets(body: bytes, pts: int) -> list[Packet]:
    """Any body as parts with the right check, so that it is read."""
    parts = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)][:255]
    check = zlib.crc32(body) & 0xFFFF
    return [
        Packet(
            Kind.BASE,
            Flags.SYNTHETIC,
            0,
            0,
            pts % 65536,
            struct.pack("<BHBBBH", 0, 1, 50, number, len(parts), check) + part,
        )
        for number, part in enumerate(parts)
    ]


def identity_packets(body: bytes) -> list[Packet]:
    """Any body as parts under its right name, so that it is read."""
    name = hashlib.sha256(body).digest()[:ID_BYTES]
    parts = [body[at : at + IDENTITY_PART] for at in range(0, len(body), IDENTITY_PART)]
    return [
        Packet(
            Kind.IDENTITY,
            Flags.INTRA,
            0,
            0,
            0,
            _IDENTITY.pack(index, len(parts), name) + part,
        )
        for index, part in enumerate(parts)
    ]


def change_packets(
    rng: Random, packets: Sequence[Packet], others: Sequence[Packet]
) -> list[Packet]:
    """Lose, repeat, move and replace packets, and change their headers and payloads."""
    changed = list(packets)
    for _ in range(rng.choice((1, 2, 4, 8, 20))):
        if not changed:
            break
        at = rng.randrange(len(changed))
        kind = rng.randrange(6)
        if kind == 0:
            del changed[at : at + rng.choice((1, 1, 3))]
        elif kind == 1:
            changed.insert(rng.randrange(len(changed) + 1), changed[at])
        elif kind == 2:
            changed.insert(rng.randrange(len(changed)), changed.pop(at))
        elif kind == 3:
            changed.insert(at, rng.choice(others))
        elif kind == 4:
            changed[at] = _change_head(rng, changed[at])
        else:
            payload = mutate(rng, changed[at].payload, [packet.payload for packet in others])
            changed[at] = replace(changed[at], payload=payload[:MAX_PAYLOAD])
    return changed


def _change_head(rng: Random, packet: Packet) -> Packet:
    field = rng.randrange(4)
    if field == 0:
        return replace(packet, kind=rng.choice(list(Kind)))
    if field == 1:
        return replace(packet, reference=rng.randrange(16))
    far = rng.choice((1, 2, 100, 30_000, 32_768, 65_535))
    if field == 2:
        return replace(packet, sequence=(packet.sequence + far) % 65536)
    return replace(packet, pts=(packet.pts + far) % 65536)
