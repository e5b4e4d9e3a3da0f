"""An identity in packets: sent once, at the start of a stream, in parts.

An IDENTITY packet carries `index u16 | count u16 | id, 8 bytes | part of the body`, little-endian.
The id is the beginning of the body's SHA-256, so that parts of different identities never mix and
parts of the same one that is sent again do.
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
"""Bytes of the body that a packet carries; the last one may carry fewer."""
MAX_FRAGMENTS = -(-MAX_BODY // FRAGMENT_BYTES)


def introduce(identity: Identity, sequence: int, pts: int = 0) -> list[Packet]:
    """Split into IDENTITY packets, each `MAX_DATAGRAM` bytes or less.

    Args:
        identity: to be sent.
        sequence: number of the first packet; the others count on, modulo 65536.
        pts: of all of them, modulo 65536; it has no meaning.
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
    """Id of the identity that an IDENTITY packet is a part of; shorter where it is damaged."""
    return packet.payload[_FRAGMENT.size - ID_BYTES : _FRAGMENT.size]


class IdentityAssembler:
    """Puts IDENTITY packets together that come in any order, doubled, or not at all.

    Memory is bounded: one incomplete identity is kept, that of the last packet.
    """

    def __init__(self) -> None:
        self._key: tuple[bytes, int] | None = None
        self._parts: dict[int, bytes] = {}

    def push(self, packet: Packet) -> Identity | None:
        """Take one IDENTITY packet; return the identity that it completes.

        Raises:
            TruncatedError: a payload without a part.
            DamagedError: all parts came, but they are not what the id names.
            StreamError: a part that cannot be, another kind of packet, or a body that cannot be
                read.
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
