"""`Keyframe`: a picture of the face, split over packets and put together again.

A KEYFRAME packet carries one fragment: `index u8 | count u8 | crc32 u32 | part of the body`, all
little-endian. The CRC covers the whole body. So fragments of different keyframes never mix, while
fragments of one keyframe that is sent twice complete each other. The body:

    0..7      pts       i64, the full presentation time in ticks
    8         codec     u8, see `StillCodec`
    9         quality   u8, on the codec's scale
    10..11    length    u16 of the shape; the high bit is set if there is a gaze
    12..131   motion    120 bytes, profile fp16
    then      gaze      i8 twice, in 1/127: right and down; not sent if both are 0
    then      shape, then the picture to the end

A shape of one byte is the id of an earlier keyframe, the base. The landmarks are then those of the
base, moved as the network moves them for a frame with this keyframe's motion.
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from .control import MAX_MISSING, Missing
from .counters import WRAP
from .errors import ConfigError, DamagedError, StreamError, TruncatedError, UnsupportedError
from .motion.frame import FP16_BYTES, GAZE_BYTES, MotionFrame, pack_gaze, unpack_gaze
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
    "fragment_body",
    "fragment_of",
    "fragment_pts",
]

Gaze = npt.NDArray[np.float32]

_FRAGMENT = struct.Struct("<BBI")
_BODY = struct.Struct("<qBBH")
FRAGMENT_BYTES = MAX_DATAGRAM - HEADER_BYTES - _FRAGMENT.size
"""Bytes of the body in a fragment; the last fragment may have fewer."""
MAX_FRAGMENTS = 64
MAX_SHAPE = 4096
_HAS_GAZE = 1 << 15
_END_S = 1.0  # fragments of a reference may come so far apart
_GIVEN_UP_S = 10.0


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The picture that frames are generated from.

    Attributes:
        id: 0..15; motion packets name it as their reference.
        pts: full presentation time in ticks of the stream's time base, -2^63..2^63 - 1.
        motion: keypoints and gaze of this picture. The motion of frames is relative to them. The
            numbers are those that its bytes can hold (`MotionFrame.to_fp16`, `pack_gaze`).
        shape: the face's landmarks, packed by `models/shape.py`; at most `MAX_SHAPE` bytes.
        picture: the coded picture.
        base: id of the keyframe from whose landmarks this one's are computed; the shape is then
            empty. None: the shape holds the landmarks.

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
            raise ConfigError("a shape of one byte means the id of a base: give it as `base`")
        if self.base is not None and (self.shape or not 0 <= self.base < 16):
            raise ConfigError("a keyframe has either a shape or a base, whose id is 0 to 15")

    def __bytes__(self) -> bytes:
        """The body, which `to_packets` splits."""
        picture = self.picture
        shape = self.shape if self.base is None else bytes([self.base])
        gaze = pack_gaze(self.motion.gaze)
        if not any(gaze):
            gaze = b""
        length = len(shape) | (_HAS_GAZE if gaze else 0)
        head = _BODY.pack(self.pts, picture.codec, picture.quality, length)
        return head + self.motion.to_fp16() + gaze + shape + picture.data

    @classmethod
    def parse(cls, identity: int, body: bytes) -> Keyframe:
        """Read a body.

        Args:
            identity: the keyframe's id, which travels in the headers of the packets.
            body: all fragments, joined.

        Raises:
            TruncatedError: it ends early.
            UnsupportedError: it uses a still codec that this build does not know.
            MotionError: the keypoints are not finite, or far outside the picture, or the gaze is
                out of range.
            StreamError: a part of it exceeds its limit.
        """
        least = _BODY.size + FP16_BYTES
        if len(body) < least:
            raise TruncatedError(f"a keyframe has {least} bytes at least, not {len(body)}")
        pts, number, quality, length = _BODY.unpack_from(body)
        try:
            codec = StillCodec(number)
        except ValueError:
            raise UnsupportedError(f"still codec {number} is not known here") from None
        motion = MotionFrame.from_fp16(body[_BODY.size : least])
        start = least
        if length & _HAS_GAZE:
            length, start = length ^ _HAS_GAZE, least + GAZE_BYTES
            motion = replace(motion, gaze=_parse_gaze(body[least:start]))
        if length > MAX_SHAPE:
            raise StreamError(f"a keyframe's shape claims {length} bytes; at most {MAX_SHAPE}")
        shape, data = body[start : start + length], body[start + length :]
        if not data:
            raise TruncatedError("a keyframe ends before its picture")
        if len(data) > MAX_PICTURE:
            raise StreamError(f"a keyframe's picture has {len(data)} bytes, over {MAX_PICTURE}")
        base = shape[0] if length == 1 else None
        if base is not None:
            if base > 15:
                raise StreamError(f"a keyframe names the base {base}; ids are below 16")
            shape = b""
        return cls(identity, pts, motion, shape, CodedPicture(codec, quality, data), base)

    def to_packets(
        self, sequence: int, *, synthetic: bool = True, part: int = FRAGMENT_BYTES
    ) -> list[Packet]:
        """Split into KEYFRAME packets of at most `MAX_DATAGRAM` bytes.

        Args:
            sequence: number of the first packet; the next packets count on, modulo 65536.
            synthetic: sets the flag SYNTHETIC.
            part: bytes of the body in a packet, at most `FRAGMENT_BYTES`. It is raised if there
                would be more than `MAX_FRAGMENTS` packets.

        Raises:
            ConfigError: the body is too large for `MAX_FRAGMENTS` packets.
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


def fragment_of(packet: Packet) -> tuple[int, int, int]:
    """Index of a KEYFRAME packet's fragment, how many there are, and the body's CRC-32.

    Raises:
        TruncatedError: the packet holds no fragment.
        StreamError: another kind of packet, or a fragment whose number or size is out of range.
    """
    index, check, count, _ = _parse_fragment(packet)
    return index, count, check


def fragment_body(packet: Packet) -> bytes:
    """The part of the body in a KEYFRAME packet. Raises as `fragment_of`."""
    return _parse_fragment(packet)[3]


def fragment_pts(packet: Packet) -> int | None:
    """Full pts of a keyframe if the packet is its first fragment, else None."""
    if packet.kind != Kind.KEYFRAME or len(packet.payload) < _FRAGMENT.size + _BODY.size:
        return None
    if packet.payload[0] != 0:
        return None
    pts: int = _BODY.unpack_from(packet.payload, _FRAGMENT.size)[0]
    return pts


def _parse_gaze(data: bytes) -> Gaze:
    if len(data) < GAZE_BYTES:
        raise TruncatedError("a keyframe ends before its gaze")
    if not any(data):
        raise StreamError("a keyframe says that it has a gaze, and that is 0")
    return unpack_gaze(data)


@dataclass(slots=True)
class _Partial:
    count: int
    parts: dict[int, bytes] = field(default_factory=dict)
    skipped: dict[int, float | None] = field(default_factory=dict)  # when a later one came first
    newest: int = -1  # largest index that came
    came: float | None = None  # when the last one came

    def add(self, index: int, part: bytes, now: float | None) -> None:
        self.parts[index] = part
        self.skipped.pop(index, None)
        self.skipped |= dict.fromkeys(range(self.newest + 1, index), now)
        self.newest = max(self.newest, index)
        self.came = now

    def missing(self, now: float, wait_s: float) -> list[int]:
        """Indices that were skipped long ago; the end too, if long nothing came."""
        if self.came is None or now - self.came > _GIVEN_UP_S:
            return []
        lost = [at for at, since in self.skipped.items() if since is None or now - since >= wait_s]
        if now - self.came >= max(_END_S, wait_s):
            lost += range(self.newest + 1, self.count)
        return sorted(lost)


class KeyframeAssembler:
    """Puts keyframes together from fragments that are reordered, doubled or lost.

    Memory is bounded: it keeps at most `pending` incomplete keyframes. When there are more, the
    one that has gone longest without a fragment is dropped first.

    Args:
        pending: most incomplete keyframes, 1 or more.
    """

    def __init__(self, pending: int = 4) -> None:
        if pending < 1:
            raise ConfigError(f"an assembler keeps 1 incomplete keyframe or more, not {pending}")
        self._room = pending
        self._pending: OrderedDict[tuple[int, int, int], _Partial] = OrderedDict()

    @property
    def pending(self) -> int:
        """How many keyframes are incomplete: some of their fragments came, but not all."""
        return len(self._pending)

    def reset(self) -> None:
        """Forget all incomplete keyframes."""
        self._pending.clear()

    def push(self, packet: Packet, now: float | None = None) -> Keyframe | None:
        """Take one KEYFRAME packet; return the keyframe if this packet completes it, else None.

        Args:
            packet: one fragment.
            now: seconds of a clock, for `missing`; None without one.

        Raises:
            TruncatedError: the packet holds no fragment, or the body is too short.
            DamagedError: all fragments came, but the body's CRC-32 does not match.
            MotionError: the keypoints are not finite, or far outside the picture.
            StreamError: another kind of packet, a fragment whose number or size is out of range,
                or a body that cannot be read.
        """
        index, check, count, part = _parse_fragment(packet)
        key = (packet.reference, packet.pts, check)
        partial = self._pending.setdefault(key, _Partial(count))
        if partial.count != count:
            raise StreamError(f"a keyframe of {partial.count} fragments has one that says {count}")
        partial.add(index, part, now)
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

    def missing(self, now: float, wait_s: float) -> Missing | None:
        """What the newest incomplete keyframe lacks, to be sent again; None if that is nothing.

        Args:
            now: seconds of the clock that `push` was given.
            wait_s: a fragment is missing if it has not come so long after a later one. The last
                ones are missing if for a second nothing of the keyframe came. After ten seconds,
                nothing of it is asked for any more.
        """
        for (identity, _, check), partial in reversed(self._pending.items()):
            lost = partial.missing(now, wait_s)
            if lost:
                return Missing(identity, check, tuple(lost[:MAX_MISSING]))
        return None


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
