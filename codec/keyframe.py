"""`Keyframe`: a picture with the face in it, split over packets and put together again.

A KEYFRAME packet carries one fragment: `index u8 | count u8 | crc32 u32 | part of the body`, all
little-endian; the CRC is of the whole body, so that parts of different keyframes never mix and
parts of the same one that is sent again do. The body:

    0..7      pts       i64, the full presentation time in ticks
    8         codec     u8, see `StillCodec`
    9         quality   u8, on the codec's scale
    10..11    length    u16 of the shape
    12..131   motion    120 bytes, profile fp16
    132..     shape, then the picture to the end

A shape of one byte is the id of an earlier keyframe, its base: the landmarks are the base's, moved
as those of a frame would be.
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field

from .counters import WRAP
from .errors import ConfigError, DamagedError, StreamError, TruncatedError, UnsupportedError
from .motion.frame import FP16_BYTES, MotionFrame
from .packet import HEADER_BYTES, MAX_DATAGRAM, Flags, Kind, Packet
from .picture.still import (
    DEFAULT_CODEC,
    MAX_PICTURE,
    CodedPicture,
    StillCodec,
    decode_picture,
    encode_picture,
)

__all__ = [
    "DEFAULT_CODEC",
    "FRAGMENT_BYTES",
    "MAX_FRAGMENTS",
    "MAX_SHAPE",
    "CodedPicture",
    "Keyframe",
    "KeyframeAssembler",
    "StillCodec",
    "decode_picture",
    "encode_picture",
    "fragment_pts",
]

_FRAGMENT = struct.Struct("<BBI")
_BODY = struct.Struct("<qBBH")
FRAGMENT_BYTES = MAX_DATAGRAM - HEADER_BYTES - _FRAGMENT.size
"""Bytes of the body that a fragment carries; the last one may carry fewer."""
MAX_FRAGMENTS = 64
MAX_SHAPE = 4096


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The picture that a face is generated from.

    Attributes:
        id: 0..15; motion packets name it as their reference.
        pts: full presentation time in ticks of the stream's time base, -2^63..2^63 - 1.
        motion: keypoints of this very picture; later motion is understood against them.
        shape: the face's landmarks, packed by `models/shape.py`; at most `MAX_SHAPE` bytes.
        picture: the coded picture.
        base: id of the keyframe from whose landmarks these are rebuilt; the shape is then empty.

    Raises:
        ConfigError: a value out of range.
    """

    id: int
    pts: int
    motion: MotionFrame
    shape: bytes
    picture: CodedPicture
    base: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.id < 16 or not -(1 << 63) <= self.pts < 1 << 63:
            raise ConfigError(f"a keyframe has an id from 0 to 15 and a 64-bit pts, not {self.id}")
        if len(self.shape) > MAX_SHAPE:
            raise ConfigError(f"a keyframe's shape has {len(self.shape)} bytes, over {MAX_SHAPE}")
        if len(self.shape) == 1:
            raise ConfigError("a shape of one byte is the id of a base: give it as such")
        if self.base is not None and (self.shape or not 0 <= self.base < 16):
            raise ConfigError("a keyframe has either a shape or a base, an id from 0 to 15")

    def __bytes__(self) -> bytes:
        """The body, to be split by `to_packets`."""
        picture = self.picture
        shape = self.shape if self.base is None else bytes([self.base])
        head = _BODY.pack(self.pts, picture.codec, picture.quality, len(shape))
        return head + self.motion.to_fp16() + shape + picture.data

    @classmethod
    def parse(cls, identity: int, body: bytes) -> Keyframe:
        """Inverse of `bytes()`; the id travels in the packets' headers.

        Raises:
            TruncatedError: it ends early.
            UnsupportedError: a still codec that this build does not know.
            MotionError: keypoints that are not finite or absurd.
            StreamError: too large.
        """
        start = _BODY.size + FP16_BYTES
        if len(body) < start:
            raise TruncatedError(f"a keyframe has {start} bytes at least, not {len(body)}")
        pts, number, quality, length = _BODY.unpack_from(body)
        try:
            codec = StillCodec(number)
        except ValueError:
            raise UnsupportedError(f"still codec {number} is not known here") from None
        if length > MAX_SHAPE:
            raise StreamError(f"a keyframe's shape claims {length} bytes; at most {MAX_SHAPE}")
        shape, data = body[start : start + length], body[start + length :]
        if not data:
            raise TruncatedError("a keyframe ends before its picture")
        if len(data) > MAX_PICTURE:
            raise StreamError(f"a keyframe's picture has {len(data)} bytes, over {MAX_PICTURE}")
        motion = MotionFrame.from_fp16(body[_BODY.size : start])
        base = shape[0] if length == 1 else None
        if base is not None:
            if base > 15:
                raise StreamError(f"a keyframe stands on one of id {base}; ids are below 16")
            shape = b""
        return cls(identity, pts, motion, shape, CodedPicture(codec, quality, data), base)

    def to_packets(
        self, sequence: int, *, synthetic: bool = True, part: int = FRAGMENT_BYTES
    ) -> list[Packet]:
        """Split over as many packets as needed, each `MAX_DATAGRAM` bytes or less.

        Args:
            sequence: number of the first packet; the others count on, modulo 65536.
            synthetic: sets the flag that says so.
            part: bytes of the body in a packet, at most `FRAGMENT_BYTES`; more where there would
                be over `MAX_FRAGMENTS` of them.
        """
        body = bytes(self)
        part = min(max(part, -(-len(body) // MAX_FRAGMENTS)), FRAGMENT_BYTES)
        parts = [body[at : at + part] for at in range(0, len(body), part)]
        if len(parts) > MAX_FRAGMENTS:
            raise ConfigError(
                f"a keyframe of {len(body)} bytes; {MAX_FRAGMENTS * FRAGMENT_BYTES} can be sent"
            )
        check = zlib.crc32(body)
        flags = Flags.INTRA | (Flags.SYNTHETIC if synthetic else Flags.NONE)
        return [
            Packet(
                Kind.KEYFRAME,
                flags,
                self.id,
                (sequence + index) % WRAP,
                self.pts % WRAP,
                _FRAGMENT.pack(index, len(parts), check) + piece,
            )
            for index, piece in enumerate(parts)
        ]


def fragment_pts(packet: Packet) -> int | None:
    """Full pts, where the packet is the first fragment of a keyframe; else None."""
    if packet.kind != Kind.KEYFRAME or len(packet.payload) < _FRAGMENT.size + _BODY.size:
        return None
    if packet.payload[0] != 0:
        return None
    pts: int = _BODY.unpack_from(packet.payload, _FRAGMENT.size)[0]
    return pts


@dataclass(slots=True)
class _Partial:
    count: int
    parts: dict[int, bytes] = field(default_factory=dict)


class KeyframeAssembler:
    """Puts fragments together that come in any order, doubled, or not at all.

    Memory is bounded: at most `pending` incomplete keyframes are kept, the one that
    has not grown for longest goes first.

    Args:
        pending: most incomplete keyframes.
    """

    def __init__(self, pending: int = 4) -> None:
        if pending < 1:
            raise ConfigError(f"room for {pending} incomplete keyframes; one is the least")
        self._room = pending
        self._pending: OrderedDict[tuple[int, int, int], _Partial] = OrderedDict()

    @property
    def pending(self) -> int:
        """Keyframes of which some but not all fragments have come."""
        return len(self._pending)

    def reset(self) -> None:
        """Forget all incomplete keyframes."""
        self._pending.clear()

    def push(self, packet: Packet) -> Keyframe | None:
        """Take one KEYFRAME packet; return the keyframe that it completes.

        Raises:
            TruncatedError: a payload without a whole fragment header, or a body that is too short.
            DamagedError: all fragments came, but the body's CRC-32 does not match.
            StreamError: a fragment that cannot be (number beyond the count, too large), another
                kind of packet, or a body that cannot be read.
        """
        index, check, count, part = _parse_fragment(packet)
        key = (packet.reference, packet.pts, check)
        partial = self._pending.setdefault(key, _Partial(count))
        if partial.count != count:
            raise StreamError(f"a keyframe of {partial.count} fragments has one that says {count}")
        partial.parts[index] = part
        self._pending.move_to_end(key)
        if len(partial.parts) < count:
            while len(self._pending) > self._room:
                self._pending.popitem(last=False)
            return None
        del self._pending[key]
        body = b"".join(partial.parts[at] for at in range(count))
        if zlib.crc32(body) != check:
            raise DamagedError("a keyframe's checksum does not match; it is dropped")
        return Keyframe.parse(packet.reference, body)


def _parse_fragment(packet: Packet) -> tuple[int, int, int, bytes]:
    if packet.kind != Kind.KEYFRAME:
        raise StreamError(f"a {packet.kind.name} packet is no fragment of a keyframe")
    if len(packet.payload) <= _FRAGMENT.size:
        raise TruncatedError(
            f"a keyframe's fragment has more than {_FRAGMENT.size} bytes, not {len(packet.payload)}"
        )
    index, count, check = _FRAGMENT.unpack_from(packet.payload)
    if not index < count <= MAX_FRAGMENTS:
        raise StreamError(
            f"fragment {index} of {count} of a keyframe; at most {MAX_FRAGMENTS} are allowed"
        )
    part = packet.payload[_FRAGMENT.size :]
    if len(part) > FRAGMENT_BYTES:
        raise StreamError(f"a keyframe's fragment of {len(part)} bytes, over {FRAGMENT_BYTES}")
    return index, check, count, part
