"""Datagrams of a call as RTP packets (RFC 3550), of which neither repeats what the other says.

The head of a datagram (`pack.py`) and the head of RTP say the same: who sends, which number the
packet has, and when it was sent. So 7 of the 9 bytes of the datagram's head are left out, and the
receiver restores them from RTP's. Payload type 96 is this form. Type 97 holds a whole datagram, for
a web page that cannot choose RTP's fields.

    RTP             type 96
    sequence        the datagram's number less the number of the connection's first one, so that a
                    connection begins at 0: libsrtp finds out by itself how often it wrapped
    timestamp       ms of the sender's clock, modulo 65536
    SSRC            high half: session; low half: number of the first datagram
    payload         the datagram without its first 7 bytes
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ...codec.counters import WRAP
from ...codec.errors import StreamError, TruncatedError

__all__ = ["HEADER_BYTES", "RtpReader", "RtpWriter", "source_of"]

_HEADER = struct.Struct("!BBHII")
HEADER_BYTES = _HEADER.size
_HEAD = struct.Struct("<BHHH")  # version, session, number, sent; see `pack.py`
_SHORT, _WHOLE = 96, 97
_PACK_VERSION = 1
_VERSION_2 = 0x80


class RtpWriter:
    """Makes the RTP packets of one connection.

    A sequence number is never used twice with one SSRC, because with SRTP's counter mode that would
    reveal both payloads. So a datagram whose number does not rise is sent whole, with numbers of
    its own.
    """

    def __init__(self) -> None:
        self._session: int | None = None
        self._first = self._last = 0
        self._sequence = 0

    def write(self, datagram: bytes) -> bytes:
        """The RTP packet of a datagram."""
        if len(datagram) > _HEAD.size:
            version, session, number, sent = _HEAD.unpack_from(datagram)
            if self._session is None and version == _PACK_VERSION:
                self._session, self._first, self._last = session, number, (number - 1) % WRAP
            rises = 0 < (number - self._last) % WRAP < WRAP // 2
            if version == _PACK_VERSION and session == self._session and rises:
                self._last = number
                source = session << 16 | self._first
                head = _HEADER.pack(_VERSION_2, _SHORT, (number - self._first) % WRAP, sent, source)
                return head + datagram[_HEAD.size :]
        source = ((self._session or 0) << 16 | self._first) ^ 0x00018000
        head = _HEADER.pack(_VERSION_2, _WHOLE, self._sequence, 0, source)
        self._sequence = (self._sequence + 1) % WRAP
        return head + datagram


@dataclass(frozen=True, slots=True)
class RtpReader:
    """Reads RTP packets. It remembers nothing."""

    def read(self, packet: bytes) -> bytes:
        """The datagram in an RTP packet.

        Raises:
            TruncatedError: it ends within its head.
            StreamError: it is not RTP, or its payload type is not used here.
        """
        if len(packet) < HEADER_BYTES:
            raise TruncatedError(f"an RTP packet of {len(packet)} bytes")
        first, kind, sequence, sent, source = _HEADER.unpack_from(packet)
        if first >> 6 != 2:
            raise StreamError("this is no RTP packet of version 2")
        at = HEADER_BYTES + 4 * (first & 15)  # contributing sources
        if first & 0x10:  # a header extension, which browsers like to send
            if len(packet) < at + 4:
                raise TruncatedError("an RTP packet ends within its extension")
            at += 4 + 4 * int.from_bytes(packet[at + 2 : at + 4], "big")
        end = len(packet)
        if first & 0x20:
            end -= packet[-1]
        if at > end:
            raise TruncatedError("an RTP packet ends within its head")
        payload = packet[at:end]
        if kind & 127 == _WHOLE:
            return payload
        if kind & 127 != _SHORT:
            raise StreamError(f"RTP of type {kind & 127} is not used in a call")
        number = (sequence + (source & 0xFFFF)) % WRAP
        return _HEAD.pack(_PACK_VERSION, source >> 16, number, sent & 0xFFFF) + payload


def source_of(packet: bytes) -> int:
    """The SSRC of a packet of RTP or SRTP; 0 if there is none."""
    return int.from_bytes(packet[8:12], "big") if len(packet) >= HEADER_BYTES else 0
