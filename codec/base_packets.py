"""The base layer in packets: frames of a chain (`picture/chain.py`), several together.

A BASE packet carries one part of a group of frames, all integers little-endian:

    0       chain     u8, number of the chain modulo 256
    1..2    index     u16, number in the chain of the group's first frame; 1 follows the still
    3       quality   u8, CRF of the chain, for information
    4       part      u8, number of the part, from 0
    5       parts     u8, number of all parts, 1 to 64
    6..7    check     u16, low half of the CRC-32 of the group's body
    8..     part of the body

The packet's reference is the keyframe whose still the chain follows, and its pts is the time of the
group's first frame. The body is the frames, one after the other: `after u8 | length, 1 to 3 bytes |
AV1 data`, where `after` is the ticks since the frame before (0 for the first frame).
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate

from .counters import WRAP
from .errors import ConfigError, DamagedError, StreamError, TruncatedError
from .packet import HEADER_BYTES, MAX_DATAGRAM, Flags, Kind, Packet
from .picture.chain import MAX_FRAME

__all__ = [
    "CHAINS",
    "MAX_AFTER",
    "MAX_FRAMES",
    "MAX_INDEX",
    "PART_BYTES",
    "BaseAssembler",
    "BaseGroup",
]

_PART = struct.Struct("<BHBBBH")
PART_BYTES = MAX_DATAGRAM - HEADER_BYTES - _PART.size
"""Bytes of the body in a packet; the last packet may have fewer."""
_MAX_PARTS = 64
CHAINS = 256
"""Chains are numbered modulo this."""
MAX_INDEX = WRAP - 1
"""Number of the last frame that a chain may have."""
MAX_FRAMES = 64
"""Frames of a group, at most."""
MAX_AFTER = 255
"""Ticks from one frame of a group to the next, at most."""
_LENGTH_BYTES = 3


@dataclass(frozen=True, slots=True)
class BaseGroup:
    """Frames of a chain that travel together.

    Attributes:
        reference: id of the keyframe whose still the chain follows, 0 to 15.
        chain: number of the chain, modulo 256.
        index: number of the first frame in its chain, from 1.
        quality: CRF of the chain, 0 to 255, for information.
        pts: time of the first frame in ticks, modulo 65536.
        frames: for each frame the ticks since the one before it, 1 to 255 (0 for the first), and
            its data, 1 to `MAX_FRAME` bytes. 1 to `MAX_FRAMES` frames.

    Raises:
        ConfigError: a value out of range.
    """

    reference: int
    chain: int
    index: int
    quality: int
    pts: int
    frames: tuple[tuple[int, bytes], ...]

    def __post_init__(self) -> None:
        fits = 0 <= self.reference < 16 and 0 <= self.chain < CHAINS and 0 <= self.quality < 256
        if not fits or not 0 <= self.pts < WRAP:
            raise ConfigError(
                f"a base group of reference {self.reference}, chain {self.chain}, quality "
                f"{self.quality} and pts {self.pts}; below 16, 256, 256 and 65536 can be sent"
            )
        if not 0 < len(self.frames) <= MAX_FRAMES:
            raise ConfigError(f"a base group has 1 to {MAX_FRAMES} frames, not {len(self.frames)}")
        if not 1 <= self.index <= MAX_INDEX + 1 - len(self.frames):
            raise ConfigError(f"a chain has the frames 1 to {MAX_INDEX}, not {self.index} and on")
        for number, (after, data) in enumerate(self.frames):
            if not bool(number) <= after <= (MAX_AFTER if number else 0):
                raise ConfigError(f"frame {number} of a base group is {after} ticks after the last")
            if not 0 < len(data) <= MAX_FRAME:
                raise ConfigError(
                    f"a frame of the base layer has 1 to {MAX_FRAME} bytes, not {len(data)}"
                )

    @property
    def times(self) -> tuple[int, ...]:
        """Ticks from the first frame to each one."""
        return tuple(accumulate(after for after, _ in self.frames))

    def body(self) -> bytes:
        """The frames as they are cut into parts."""
        return b"".join(bytes([after]) + _length(len(data)) + data for after, data in self.frames)

    def to_packets(self, sequence: int = 0) -> list[Packet]:
        """Split into BASE packets of at most `MAX_DATAGRAM` bytes.

        Args:
            sequence: number of the first packet; the next packets count on, modulo 65536.

        Raises:
            ConfigError: the group is too large for 64 packets.
        """
        body = self.body()
        parts = [body[at : at + PART_BYTES] for at in range(0, len(body), PART_BYTES)]
        if len(parts) > _MAX_PARTS:
            raise ConfigError(
                f"a base group of {len(body)} bytes; {_MAX_PARTS * PART_BYTES} can be sent"
            )
        check = zlib.crc32(body) & 0xFFFF
        return [
            Packet(
                Kind.BASE,
                Flags.SYNTHETIC,
                self.reference,
                (sequence + number) % WRAP,
                self.pts,
                _PART.pack(self.chain, self.index, self.quality, number, len(parts), check) + part,
            )
            for number, part in enumerate(parts)
        ]

    @classmethod
    def parse(cls, head: Packet, body: bytes) -> BaseGroup:
        """Read a body.

        Args:
            head: any packet of the group.
            body: all its parts, joined.

        Raises:
            TruncatedError: a frame ends early.
            StreamError: a frame without data, too many frames, or a number out of range.
        """
        chain, index, quality, _, _, _ = _PART.unpack_from(head.payload)
        frames: list[tuple[int, bytes]] = []
        at = 0
        while at < len(body):
            if len(frames) == MAX_FRAMES:
                raise StreamError(f"a base group has more than {MAX_FRAMES} frames")
            after = body[at]
            length, at = _read_length(body, at + 1)
            frames.append((after, body[at : at + length]))
            at += length
            if at > len(body):
                raise TruncatedError("a base group ends within a frame")
        try:
            return cls(head.reference, chain, index, quality, head.pts, tuple(frames))
        except ConfigError as error:
            raise StreamError(f"a base group cannot be used: {error}") from error


@dataclass(slots=True)
class _Partial:
    count: int
    parts: dict[int, bytes]


class BaseAssembler:
    """Puts groups together from parts that are reordered, doubled or lost.

    Memory is bounded: it keeps at most four incomplete groups. When there are more, the one that
    has gone longest without a part is dropped first.
    """

    _ROOM = 4

    def __init__(self) -> None:
        self._pending: OrderedDict[tuple[int, ...], _Partial] = OrderedDict()

    def __len__(self) -> int:
        """How many groups are incomplete."""
        return len(self._pending)

    def reset(self) -> None:
        """Forget all incomplete groups."""
        self._pending.clear()

    def push(self, packet: Packet) -> BaseGroup | None:
        """Take one BASE packet; return the group if this packet completes it, else None.

        Raises:
            TruncatedError: the packet holds no part, or a frame ends early.
            DamagedError: all parts came, but the check does not fit.
            StreamError: another kind of packet, a part whose number or size is out of range, or a
                body that cannot be read.
        """
        if packet.kind != Kind.BASE:
            raise StreamError(f"a {packet.kind.name} packet is no part of the base layer")
        if len(packet.payload) <= _PART.size:
            raise TruncatedError(
                f"a part of the base layer has more than {_PART.size} bytes, "
                f"not {len(packet.payload)}"
            )
        chain, index, quality, number, count, check = _PART.unpack_from(packet.payload)
        part = packet.payload[_PART.size :]
        if not number < count <= _MAX_PARTS or len(part) > PART_BYTES:
            raise StreamError(
                f"part {number} of {count} of the base layer, {len(part)} bytes; at most "
                f"{_MAX_PARTS} of {PART_BYTES} are allowed"
            )
        key = (packet.reference, packet.pts, chain, index, quality, count, check)
        partial = self._pending.setdefault(key, _Partial(count, {}))
        partial.parts[number] = part
        self._pending.move_to_end(key)
        if len(partial.parts) < count:
            while len(self._pending) > self._ROOM:
                self._pending.popitem(last=False)
            return None
        del self._pending[key]
        body = b"".join(partial.parts[at] for at in range(count))
        if zlib.crc32(body) & 0xFFFF != check:
            raise DamagedError("the check of a base group does not match; it is dropped")
        return BaseGroup.parse(packet, body)


def _length(size: int) -> bytes:
    """A length in one to three bytes, the low seven bits first; 0x80 says that more follow."""
    data = bytearray()
    while size > 127:
        data.append(128 | size & 127)
        size >>= 7
    return bytes([*data, size])


def _read_length(body: bytes, at: int) -> tuple[int, int]:
    """The length at a place, and the place behind it."""
    length = 0
    for number in range(_LENGTH_BYTES):
        if at + number >= len(body):
            raise TruncatedError("a base group ends within a frame's length")
        byte = body[at + number]
        length |= (byte & 127) << 7 * number
        if byte < 128:
            return length, at + number + 1
    raise StreamError(f"a frame of the base layer has a length of more than {_LENGTH_BYTES} bytes")
