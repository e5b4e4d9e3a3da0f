"""`Entrance`: what comes through the sockets of a connection, and what of it is let in.

Anybody can send packets to a port. So a packet counts as one of the other side, uses up what the
other side may send, and shows that the line is alive, only once it is proven to be of the other
side:

    checks of ICE   their MESSAGE-INTEGRITY is made with a password of the sealed descriptions
    media           SRTP authenticates it
    DTLS            OpenSSL authenticates it, but later. So it must come from an address that the
                    other side named, or from which it sent a check; and it has an allowance of its
                    own

Everything else is dropped and counted, and nothing is answered. Little is done for each such
packet: at the most, it is authenticated.

Like `transport.py`, this file uses parts of aiortc and aioice that have no public name;
`tests/call/line/test_transport.py` checks them.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

from .rtp import source_of
from .traffic import Allowance, Traffic

__all__ = ["Entrance"]

_LONGEST = 1500  # bytes of a packet; libsrtp takes no longer ones
_MOST_SOURCES = 8  # SSRCs of the other side: libsrtp keeps a state for each
_BURST, _RATE = 512_000.0, 125_000.0  # bytes; bytes a second: 1 Mbit/s
_CHECKS_BURST, _CHECKS_RATE = 64_000.0, 16_000.0  # a check has about 100 bytes, and comes each 5 s


class Entrance:
    """Lets in what the other side sent, and counts everything.

    Args:
        ice: `aioice.Connection`.
        dtls: `aiortc.RTCDtlsTransport`.
        traffic: counts what comes and goes.
        on_media: takes each packet of RTP, decrypted.
    """

    def __init__(
        self, ice: Any, dtls: Any, traffic: Traffic, on_media: Callable[[bytes], None]
    ) -> None:
        self._ice, self._dtls, self._traffic, self._on_media = ice, dtls, traffic, on_media
        self._name = f"{ice.local_username}:".encode()  # checks are addressed to it
        self._media = Allowance(_BURST, _RATE)
        self._handshake = Allowance(_BURST, _RATE)
        self._checks = Allowance(_CHECKS_BURST, _CHECKS_RATE)
        self._sources: set[int] = set()

    def watch(self, protocol: Any) -> None:
        """Stand before a socket of ICE, an `aioice.ice.StunProtocol`."""
        pass_on = protocol.datagram_received
        protocol.transport = _Counted(protocol.transport, self._traffic)

        def receive(data: bytes, address: Any) -> None:
            self._traffic.receive(len(data), str(address[0]))
            if not self.lets_in(protocol, data, address, pass_on):
                self._traffic.dropped += 1

        protocol.datagram_received = receive

    def lets_in(
        self, protocol: Any, data: bytes, address: Any, pass_on: Callable[[bytes, Any], None]
    ) -> bool:
        """Take a packet, or pass it on to a socket's own receiver; False if it is dropped."""
        now = time.monotonic()
        first = data[0] if 0 < len(data) <= _LONGEST else 255  # RFC 7983, section 7
        if first < 4:
            return self._check(protocol, data, address, now, pass_on)
        is_media = 128 <= first < 192
        if is_media and self._dtls._rx_srtp is not None:
            return self._decrypt(data, now)
        # Media that overtake the end of the handshake wait for it in the queue of ICE.
        if not (is_media or 20 <= first < 64) or not self._is_known(address):
            return False
        if not self._handshake.take(len(data), now):
            return False
        pass_on(data, address)
        return True

    def _check(
        self, protocol: Any, data: bytes, address: Any, now: float, pass_on: Callable[..., None]
    ) -> bool:
        """Let in a check of ICE, or the answer to one."""
        from aioice import stun

        # A STUN server's answers prove nothing, but nobody else knows the number of the request.
        answers = data[8:20] in protocol.transactions
        if not answers and not (self._name in data and self._checks.has(len(data), now)):
            return False
        password = self._ice.remote_password if answers else self._ice.local_password
        try:
            message = stun.parse_message(data)
            proven = message.check_message_integrity((password or "").encode())
        except (ValueError, IndexError, struct.error):
            return False
        if proven and password:
            self._traffic.heard = now
        elif not answers:
            return False
        if not answers:
            self._checks.take(len(data), now)
        pass_on(data, address)
        return True

    def _decrypt(self, data: bytes, now: float) -> bool:
        """Take a packet of SRTP or SRTCP."""
        import pylibsrtp
        from aiortc.rtp import is_rtcp

        control = is_rtcp(data)
        source = int.from_bytes(data[4:8], "big") if control else source_of(data)
        full = len(self._sources) >= _MOST_SOURCES
        if (full and source not in self._sources) or not self._media.has(len(data), now):
            return False
        srtp = self._dtls._rx_srtp
        try:
            packet = srtp.unprotect_rtcp(data) if control else srtp.unprotect(data)
        except pylibsrtp.Error:
            return False
        self._sources.add(source)
        self._media.take(len(data), now)
        self._traffic.heard = now
        if not control:  # `codec/control.py` says more in fewer bytes
            self._on_media(packet)
        return True

    def _is_known(self, address: Any) -> bool:
        """Whether the other side named an address, or sent a check from it."""
        return any(
            one._network_host == address[0] and one.port == address[1]
            for one in self._ice._remote_candidates
        )


class _Counted:
    """A datagram transport that counts what is sent."""

    def __init__(self, inner: Any, traffic: Traffic) -> None:
        self._inner, self._traffic = inner, traffic

    def sendto(self, data: bytes, address: Any = None) -> None:
        self._traffic.send(len(data), str(address[0]) if address else "")
        self._inner.sendto(data, address)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
