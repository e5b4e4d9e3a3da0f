"""An identity in packets: it is sent once, at the start of a stream, in parts.

An IDENTITY packet carries `index u16 | count u16 | id, 8 bytes | part of the body`, little-endian.
The id is the beginning of the body's SHA-256. So parts of different identities never mix, while
parts of one identity that is sent twice complete each other.
"""

from __future__ import annotations

import struct

from .counters import WRAP
from .errors import DamagedError, StreamError, TruncatedError
from .identity import ID_BYTES, MAX_BODY, Identity, identity_id
from .packet import HEADER_BYTES, MAX_DATAGRAM, Flags, Kind, Packet

__all__ = ["FRAGMENT_BYTES", "MAX_FRAGMENTS", "IdentityAssembler", "fragment_id", "introduce"]

_FRAGMENT = struct.Struct(f"<HH{ID_BYTES}s")
FRAGMENT_BYTES = MAX_DATAGRAM - HEADER_BYTES - _FRAGMENT.size
"""Bytes of the body in a packet; the last packet may have fewer."""
MAX_FRAGMENTS = -(-MAX_BODY // FRAGMENT_BYTES)


def introduce(identity: Identity, sequence: int, pts: int = 0) -> list[Packet]:
    """Split an identity into IDENTITY packets of at most `MAX_DATAGRAM` bytes.

    Args:
        identity: to be sent.
        sequence: number of the first packet; the next packets count on, modulo 65536.
        pts: of all packets, taken modulo 65536. It has no meaning.
    """
    starts = range(0, len(identity.body), FRAGMENT_BYTES)
    return [
        Packet(
            Kind.IDENTITY,
            Flags.SYNTHETIC | Flags.INTRA,
            0,
            (sequence + index) % WRAP,
            pts % WRAP,
            _FRAGMENT.pack(index, len(starts), identity.id)
            + identity.body[start : start + FRAGMENT_BYTES],
        )
        for index, start in enumerate(starts)
    ]


def fragment_id(packet: Packet) -> bytes:
    """Id of the identity that an IDENTITY packet belongs to; shorter if the packet is cut off."""
    return packet.payload[_FRAGMENT.size - ID_BYTES : _FRAGMENT.size]


class IdentityAssembler:
    """Puts identities together from packets that are reordered, doubled or lost.

    Memory is bounded: it keeps one incomplete identity, the one that the last packet belongs to.
    """

    def __init__(self) -> None:
        self._key: tuple[bytes, int] | None = None
        self._parts: dict[int, bytes] = {}

    def push(self, packet: Packet) -> Identity | None:
        """Take one IDENTITY packet; return the identity if this packet completes it, else None.

        The hash is checked before anything is unpacked.

        Raises:
            TruncatedError: the packet holds no part.
            DamagedError: all parts came, but their hash is not the id.
            StreamError: another kind of packet, a part whose number or size is out of range, or a
                body that cannot be read.
        """
        if packet.kind != Kind.IDENTITY:
            raise StreamError(f"a {packet.kind.name} packet is no part of an identity")
        if len(packet.payload) <= _FRAGMENT.size:
            raise TruncatedError(
                f"a part of an identity has more than {_FRAGMENT.size} bytes, "
                f"not {len(packet.payload)}"
            )
        index, count, name = _FRAGMENT.unpack_from(packet.payload)
        part = packet.payload[_FRAGMENT.size :]
        if not index < count <= MAX_FRAGMENTS or len(part) > FRAGMENT_BYTES:
            raise StreamError(
                f"part {index} of {count} of an identity, {len(part)} bytes; at most "
                f"{MAX_FRAGMENTS} of {FRAGMENT_BYTES} are allowed"
            )
        if self._key != (name, count):
            self._key, self._parts = (name, count), {}
        self._parts[index] = part
        if len(self._parts) < count:
            return None
        body = b"".join(self._parts[at] for at in range(count))
        self._key, self._parts = None, {}
        if identity_id(body) != name:
            raise DamagedError("an identity's hash does not match; it is dropped")
        return Identity.parse(body)
