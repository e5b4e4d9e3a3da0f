"""`Connection`: carries datagrams between the sides of a call, by ICE, DTLS and SRTP of aiortc.

The parts of aiortc are used without its RTCPeerConnection, whose receiver would decode, delay by
240 ms and send reports, and whose sender needs a track. Parts of aiortc that have no public name
are used in this file and in `entrance.py` only, and `tests/call/line/test_transport.py` checks
them. So aiortc is pinned.

No server is asked for anything unless one is given. (aiortc by itself would ask a public STUN
server.)
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ...codec.errors import CallError, ConfigError, FacewireError, MissingExtraError
from ..meeting.description import MAX_CANDIDATES, Candidate
from .entrance import Entrance
from .rtp import RtpReader, RtpWriter
from .traffic import Traffic

if TYPE_CHECKING:
    from aiortc import RTCCertificate, RTCIceServer

__all__ = ["Connection", "certificate", "fingerprint", "ice_server", "is_turn"]

_log = logging.getLogger(__name__)

_QUEUE = 256  # packets that wait to be sent; they wait only while the loop is busy
_FIRST_AGAIN_S, _LEAST_AGAIN_S = 0.4, 0.2  # after which a lost reliable packet is sent again
_HASTE_S = 2.0  # for which the first of these times holds if nothing is answered
_MOST_AGAIN_S = 10.0
_MESSAGE = 64 * 1024  # bytes of a reliable message at most


def certificate() -> RTCCertificate:
    """Make a certificate for DTLS. Raises `MissingExtraError` if aiortc is not installed."""
    try:
        from aiortc import RTCCertificate
    except ImportError as error:
        raise MissingExtraError("a call", "call") from error
    return RTCCertificate.generateCertificate()


def fingerprint(of: RTCCertificate) -> bytes:
    """The SHA-256 of a certificate, 32 bytes."""
    values = {entry.algorithm: entry.value for entry in of.getFingerprints()}
    return bytes.fromhex(values["sha-256"].replace(":", ""))


def is_turn(url: str) -> bool:
    """Whether an ICE server is a TURN server, which wants a name and a password, and not a STUN
    server. Raises `ConfigError` if the URL (RFC 7064, RFC 7065) is neither's.
    """
    from aiortc.rtcicetransport import parse_stun_turn_uri

    try:
        return str(parse_stun_turn_uri(url)["scheme"]).startswith("turn")
    except ValueError as error:
        raise ConfigError(
            f"{url} is no ICE server: it is like stun:HOST:3478 or turn:HOST:3478"
        ) from error


def ice_server(url: str, user: str | None = None, password: str | None = None) -> RTCIceServer:
    """An ICE server for `Connection`. Raises `ConfigError` as `is_turn`."""
    from aiortc import RTCIceServer

    is_turn(url)
    return RTCIceServer(url, user, password)


class Connection:
    """One connection. All methods belong to the event loop's thread.

    Args:
        maker: whether this side made the room; then it controls ICE, and is the server in DTLS.
        own: this side's certificate.
        servers: ICE servers, none by default.
        on_datagram: takes each datagram as it arrives.
        on_message: takes each message of the reliable channel.
        on_end: called once when the connection ends by itself; with True if the other side closed
            it, with False if the line is lost.

    Attributes:
        user, password: of ICE, known after `gather`.
        traffic: counts of everything that this connection sent and received.
    """

    def __init__(
        self,
        *,
        maker: bool,
        own: RTCCertificate,
        servers: Sequence[RTCIceServer] = (),
        on_datagram: Callable[[bytes], None],
        on_message: Callable[[bytes], None],
        on_end: Callable[[bool], None],
    ) -> None:
        import aiortc
        from aiortc.rtcdtlstransport import SRTP_AES128_CM_SHA1_80

        _keep_time_steadily()
        self.traffic = Traffic()
        self.user = self.password = ""
        self._on_datagram, self._on_message, self._on_end = on_datagram, on_message, on_end
        self._maker = maker
        self._wants_relay = any(str(one.urls).startswith("turn") for one in servers)
        self._gatherer = aiortc.RTCIceGatherer(iceServers=list(servers))
        self._ice = aiortc.RTCIceTransport(self._gatherer)
        self._ice._connection.ice_controlling = maker
        self._dtls = aiortc.RTCDtlsTransport(self._ice, [own])
        # The tag has 10 bytes; that of AES-GCM, which aiortc likes better, has 16.
        self._dtls._srtp_profiles = [SRTP_AES128_CM_SHA1_80]
        self._dtls._handle_rtp_data = self._take_late  # type: ignore[method-assign]
        self._dtls._handle_rtcp_data = _ignore  # type: ignore[method-assign]
        self._entrance = Entrance(self._ice._connection, self._dtls, self.traffic, self._take)
        self._sctp = aiortc.RTCSctpTransport(self._dtls)
        self._patience: asyncio.TimerHandle | None = None
        self._channel: Any = None
        self._writer, self._reader = RtpWriter(), RtpReader()
        self._outgoing: asyncio.Queue[bytes] = asyncio.Queue(_QUEUE)
        self._sender: asyncio.Task[None] | None = None
        self._connected = self._closed = False

    async def gather(self) -> tuple[Candidate, ...]:
        """Open sockets; returns the addresses at which this side may be reached.

        Raises:
            CallError: this machine has no network.
        """
        await self._gatherer.gather()
        for protocol in self._gatherer._connection._protocols:
            self._entrance.watch(protocol)
        parameters = self._gatherer.getLocalParameters()
        self.user, self.password = str(parameters.usernameFragment), str(parameters.password)
        found = [
            Candidate(c.type, c.ip.partition("%")[0], c.port, c.priority)
            for c in self._gatherer.getLocalCandidates()
            if not c.ip.startswith(("fe80:", "169.254."))
        ]
        if self._wants_relay and not any(c.kind == "relay" for c in found):
            _log.warning(
                "the TURN server gives no address: it cannot be reached, or it does not know the "
                "name and the password"
            )
        if not found:
            raise CallError("this machine has no network: no address was found but its own")
        return tuple(sorted(found, key=lambda c: -c.priority)[:MAX_CANDIDATES])

    async def connect(
        self,
        user: str,
        password: str,
        fingerprint: bytes,
        candidates: Sequence[Candidate],
        seconds: float,
    ) -> None:
        """Connect to the other side.

        Args:
            user: ICE user fragment of the other side.
            password: ICE password of the other side.
            fingerprint: 32 bytes; a certificate with another SHA-256 is refused.
            candidates: addresses of the other side.
            seconds: the time after which connecting is given up.

        Raises:
            CallError: no path was found in time, or the certificate is not the expected one.
        """
        import aiortc

        for number, c in enumerate(candidates):
            await self._ice.addRemoteCandidate(
                aiortc.RTCIceCandidate(1, str(number), c.address, c.port, c.priority, "udp", c.kind)
            )
        await self._ice.addRemoteCandidate(None)
        value = ":".join(f"{byte:02X}" for byte in fingerprint)
        certificates = aiortc.RTCDtlsParameters([aiortc.RTCDtlsFingerprint("sha-256", value)])
        self._dtls._set_role("server" if self._maker else "client")
        try:
            async with asyncio.timeout(seconds):
                await self._ice.start(aiortc.RTCIceParameters(user, password))
                if self._ice.state != "completed":
                    raise CallError(
                        "no path was found to the other side: one of the two networks lets "
                        "nothing through. A TURN server helps: --ice-server"
                    )
                await self._dtls.start(certificates)
        except TimeoutError:
            raise CallError(
                "the other side did not answer in time: the line is too bad, or it has gone"
            ) from None
        if self._dtls.state != "connected":
            raise CallError(
                "the other side has another certificate than it said: somebody stands between"
            )
        self._connected = True
        self.traffic.heard = time.monotonic()
        self._dtls.on("statechange", self._changed)
        self._sender = asyncio.ensure_future(self._send_all())
        self._open_channel()
        self._hasten()
        await self._sctp.start(aiortc.RTCSctpCapabilities(_MESSAGE), 5000)
        self._changed()

    def local_address(self) -> str | None:
        """This side's own address on the path that was chosen; None before there is one."""
        for pair in self._ice._connection._nominated.values():
            candidate = pair.local_candidate
            return str(candidate.related_address or candidate.host)
        return None

    def send(self, datagram: bytes) -> None:
        """Send a datagram. If the event loop is too busy to send, the oldest ones are dropped."""
        if not self._connected or self._closed:
            return
        if self._outgoing.full():
            self._outgoing.get_nowait()
        self._outgoing.put_nowait(self._writer.write(datagram))

    def send_reliably(self, message: bytes) -> None:
        """Send a message of at most 64 kB over the reliable channel, which keeps no order."""
        if self._connected and not self._closed and self._channel.readyState == "open":
            self._channel.send(message)
        elif self._connected and not self._closed:
            self._channel.once("open", lambda: self.send_reliably(message))

    async def close(self, *, tell: bool = True) -> None:
        """Close everything. It may be called twice.

        Args:
            tell: whether to tell the other side, for which the call then ends.
        """
        if self._closed:
            return
        self._closed = True
        if self._sender is not None:
            self._sender.cancel()
        if self._patience is not None:
            self._patience.cancel()
        # A path that is broken may fail in any of these ways; all of it must be closed.
        stops = (self._sctp.stop, self._dtls.stop, self._ice.stop)
        for stop in stops if tell else stops[2:]:
            with contextlib.suppress(ConnectionError, OSError, asyncio.TimeoutError):
                await asyncio.wait_for(stop(), 2.0)

    def _open_channel(self) -> None:
        from aiortc import RTCDataChannel, RTCDataChannelParameters

        # Both sides know of it, so it need not be announced.
        parameters = RTCDataChannelParameters("facewire", ordered=False, negotiated=True, id=0)
        self._channel = RTCDataChannel(self._sctp, parameters)
        self._channel.on("message", self._message)

    def _hasten(self) -> None:
        """Let the reliable channel repeat what was lost sooner than SCTP does by itself, which
        waits 3 s at first and at least 1 s later on (RFC 9260, section 16). Those times are for
        large transfers. A call gives it a few kilobytes, and the first picture waits for them. If
        nothing is answered, its own times come back, so that it does not give up early.
        """
        sctp: Any = self._sctp  # its inner state has no public name
        update, patient = sctp._update_rto, sctp._rto

        def measured(round_trip: float) -> None:
            update(min(max(round_trip, 0.0), _MOST_AGAIN_S))
            again = sctp._srtt + 4 * sctp._rttvar
            sctp._rto = min(max(_LEAST_AGAIN_S, again), _MOST_AGAIN_S)

        def be_patient() -> None:
            if sctp._srtt is None:
                sctp._rto = patient

        sctp._rto, sctp._update_rto = _FIRST_AGAIN_S, measured
        self._patience = asyncio.get_running_loop().call_later(_HASTE_S, be_patient)

    def _message(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self._on_message(message)

    def _changed(self) -> None:
        """Take the new state of DTLS. If it closed by itself, the path of the call has ended."""
        if self._closed or self._dtls.state not in ("closed", "failed"):
            return
        self._connected = False
        self._on_end(self._other_closed())

    def _other_closed(self) -> bool:
        """Whether the other side said goodbye (the alert close_notify of DTLS, RFC 9147). DTLS also
        closes when this side's sockets are gone, and then the state of ICE may still be
        `completed`.
        """
        from OpenSSL import SSL

        ssl: Any = self._dtls._ssl
        return ssl is not None and bool(ssl.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    async def _send_all(self) -> None:
        while True:
            packet = await self._outgoing.get()
            # The path may be broken for a moment; what is lost is lost.
            with contextlib.suppress(ConnectionError, OSError):
                await self._dtls._send_rtp(packet)

    def _take(self, data: bytes) -> None:
        """Take an RTP packet of the other side, decrypted and authenticated."""
        try:
            datagram = self._reader.read(data)
        except FacewireError as error:
            self.traffic.dropped += 1
            _log.debug("a packet was dropped: %s", error)
            return
        self._on_datagram(datagram)

    async def _take_late(self, data: bytes, arrival_time_ms: int) -> None:
        """Take an RTP packet that came before the end of the handshake."""
        self._take(data)


def _keep_time_steadily() -> None:
    """Let aiortc and aioice measure intervals with a clock that nobody sets.

    They take the time of day: for round trips of the reliable channel, and for the time after which
    a channel of a TURN server is bound again. After a clock was set back by an hour, a lost message
    would be repeated after an hour, and the TURN server would stop relaying within ten minutes
    (RFC 8656, section 12).
    """
    import aioice.turn
    import aiortc.rtcsctptransport

    steady: Any = SimpleNamespace(time=time.monotonic)
    for module in (aioice.turn, aiortc.rtcsctptransport):
        module.time = steady  # type: ignore[attr-defined]


async def _ignore(data: bytes) -> None:
    """Takes RTCP, which neither side needs: `codec/control.py` says more in fewer bytes."""
