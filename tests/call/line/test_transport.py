"""Two connections in one process over loopback, and what they need of aiortc."""

from __future__ import annotations

import asyncio
import inspect
import struct
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from facewire.call.line.transport import Connection, certificate, fingerprint
from facewire.call.pack import Datagram
from facewire.codec.errors import CallError
from facewire.codec.packet import Flags, Kind, Packet

aiortc = pytest.importorskip("aiortc")
StunProtocol = pytest.importorskip("aioice.ice").StunProtocol

TAG, RTP, UDP, IP4, IP6 = 10, 12, 8, 20, 40


class Side:
    """A connection, and what came through it."""

    def __init__(self, maker: bool) -> None:
        self.datagrams: list[bytes] = []
        self.messages: list[bytes] = []
        self.ends: list[bool] = []
        self.certificate = certificate()
        self.connection = Connection(
            maker=maker,
            own=self.certificate,
            on_datagram=self.datagrams.append,
            on_message=self.messages.append,
            on_end=self.ends.append,
        )

    async def connect(self, other: Side, candidates: Any, seconds: float = 20.0) -> None:
        print_ = fingerprint(other.certificate)
        user, password = other.connection.user, other.connection.password
        await self.connection.connect(user, password, print_, candidates, seconds)


async def pair() -> tuple[Side, Side]:
    one, other = Side(True), Side(False)
    first, second = await one.connection.gather(), await other.connection.gather()
    await asyncio.gather(one.connect(other, second), other.connect(one, first))
    return one, other


def run(test: Callable[[Side, Side], Awaitable[None]]) -> None:
    async def body() -> None:
        one, other = await pair()
        try:
            await test(one, other)
        finally:
            await one.connection.close()
            await other.connection.close()

    asyncio.run(body())


async def until(what: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.01)


def datagram(number: int, size: int = 100) -> bytes:
    packet = Packet(Kind.MOTION, Flags.SYNTHETIC, 0, number % 65536, 7, bytes(size))
    return bytes(Datagram(0x1234, number, 500, (packet,)))


def test_datagrams_both_ways() -> None:
    async def test(one: Side, other: Side) -> None:
        for number in range(40000, 40020):  # also beyond 2^15, where SRTP may lose count
            one.connection.send(datagram(number))
            other.connection.send(datagram(number, 1000))
        await until(lambda: len(one.datagrams) == len(other.datagrams) == 20)
        assert other.datagrams == [datagram(number) for number in range(40000, 40020)]
        assert one.datagrams == [datagram(number, 1000) for number in range(40000, 40020)]

    run(test)


def test_numbers_that_wrap_or_do_not_rise() -> None:
    async def test(one: Side, other: Side) -> None:
        sent = [datagram(n % 65536) for n in range(65530, 65545)]
        sent += [datagram(65535), b"something else", b"", datagram(20)]
        for data in sent:
            one.connection.send(data)
        await until(lambda: len(other.datagrams) == len(sent))
        assert other.datagrams == sent

    run(test)


def test_the_reliable_channel() -> None:
    async def test(one: Side, other: Side) -> None:
        big = bytes(range(256)) * 100
        one.connection.send_reliably(big)  # before the channel is open
        other.connection.send_reliably(b"hello")
        await until(lambda: other.messages and one.messages)
        assert (other.messages, one.messages) == ([big], [b"hello"])

    run(test)


def test_bytes_are_counted_as_the_line_carries_them() -> None:
    """What one side sends is what the other receives, and a datagram costs 43 bytes more."""

    async def test(one: Side, other: Side) -> None:
        await asyncio.sleep(0.5)  # the reliable channel has opened
        before = one.connection.traffic.sent_bytes, one.connection.traffic.sent
        for number in range(10):
            one.connection.send(datagram(number))
        await until(lambda: len(other.datagrams) == 10)
        sent = one.connection.traffic
        if sent.sent - before[1] == 10:  # no check of the path fell into this moment
            each = (sent.sent_bytes - before[0]) / 10
            shorter = 7  # of the head, which RTP says
            ip = IP6 if ":" in (one.connection.local_address() or "") else IP4
            assert each == len(datagram(0)) - shorter + TAG + RTP + UDP + ip
        got = other.connection.traffic
        await until(lambda: got.received == sent.sent)
        assert (got.received_bytes, got.dropped) == (sent.sent_bytes, 0)

    run(test)


def test_the_other_side_closes() -> None:
    async def test(one: Side, other: Side) -> None:
        await one.connection.close()
        await until(lambda: other.ends)
        assert (one.ends, other.ends) == ([], [True])
        other.connection.send(datagram(1))
        await one.connection.close()

    run(test)


def test_the_line_is_lost() -> None:
    """The sockets are gone, as after a change of network."""

    async def test(one: Side, other: Side) -> None:
        await one.connection._ice._connection.close()
        await until(lambda: one.ends)
        assert one.ends == [False]

    run(test)


def test_a_path_that_ends_before_ice_knows_it_is_not_a_goodbye() -> None:
    """When sockets close, DTLS may hear of it sooner than ICE says that it is no longer complete.
    The other side has not left then, and the line must be made anew.
    """

    async def test(one: Side, other: Side) -> None:
        ice = one.connection._ice
        ice._connection._queue.put_nowait(None)  # what aioice does with each socket that closes
        await until(lambda: one.ends)
        assert (ice.state, ice._connection._closed) == ("completed", False)
        assert one.ends == [False]

    run(test)


def test_another_certificate_is_refused() -> None:
    async def body() -> None:
        one, other = Side(True), Side(False)
        first, second = await one.connection.gather(), await other.connection.gather()
        honest = asyncio.ensure_future(one.connect(other, second, 4.0))
        connection = one.connection
        with pytest.raises(CallError, match="certificate"):
            await other.connection.connect(
                connection.user, connection.password, bytes(32), first, 20.0
            )
        await other.connection.close()
        await asyncio.gather(honest, return_exceptions=True)
        await one.connection.close()

    asyncio.run(body())


def test_nobody_answers() -> None:
    async def body() -> None:
        one, other = Side(True), Side(False)
        await one.connection.gather()
        addresses = await other.connection.gather()
        with pytest.raises(CallError, match=r"did not answer|no path"):
            await one.connect(other, addresses, 0.5)
        await one.connection.close()
        await other.connection.close()

    asyncio.run(body())


def test_closing_at_every_stage() -> None:
    async def body() -> None:
        fresh = Side(True)
        await fresh.connection.close()
        gathered = Side(True)
        await gathered.connection.gather()
        await gathered.connection.close()
        await gathered.connection.close()
        assert gathered.ends == fresh.ends == []

    asyncio.run(body())


def test_a_flood_is_dropped() -> None:
    async def test(one: Side, other: Side) -> None:
        for number in range(600):
            one.connection.send(datagram(number, 1100))
            if number % 50 == 49:
                await asyncio.sleep(0.01)
        await until(lambda: other.connection.traffic.received >= 550)
        assert other.connection.traffic.dropped > 50
        assert len(other.datagrams) < 560

    run(test)


def test_sources_are_bounded() -> None:
    """Each SSRC costs libsrtp memory for the whole call."""

    async def test(one: Side, other: Side) -> None:
        for source in range(50):
            packet = struct.pack("!BBHII", 0x80, 97, 0, 0, source) + b"hello"
            await one.connection._dtls._send_rtp(packet)
        await until(lambda: other.connection.traffic.dropped >= 42)
        assert len(other.datagrams) == 8

    run(test)


# What `Connection` needs of aiortc beside its public names. Should one of these fail after an
# update, `transport.py` must be read again before the pin in `pyproject.toml` is raised.


def test_contract_version() -> None:
    assert aiortc.__version__.startswith("1.16.")


def test_contract_without_servers_nothing_is_asked() -> None:
    async def body() -> None:
        default = aiortc.RTCIceGatherer()
        assert default._connection.stun_server is not None  # a public one: never used here
        ours = Side(True)
        assert ours.connection._gatherer._connection.stun_server is None
        assert ours.connection._gatherer._connection.turn_server is None

    asyncio.run(body())


def test_contract_dtls() -> None:
    dtls = aiortc.RTCDtlsTransport
    assert list(inspect.signature(dtls._send_rtp).parameters) == ["self", "data"]
    assert list(inspect.signature(dtls._set_role).parameters) == ["self", "role"]
    handler = inspect.signature(dtls._handle_rtp_data).parameters
    assert list(handler) == ["self", "data", "arrival_time_ms"]
    assert list(inspect.signature(dtls._handle_rtcp_data).parameters) == ["self", "data"]
    source = inspect.getsource(dtls._recv_next)
    assert "self._handle_rtp_data(" in source
    assert "self._handle_rtcp_data(" in source
    assert "self._srtp_profiles" in inspect.getsource(dtls.start)
    assert aiortc.rtcdtlstransport.SRTP_AES128_CM_SHA1_80.libsrtp_profile
    assert "self._ssl = SSL.Connection(" in inspect.getsource(dtls)


def test_contract_sctp() -> None:
    """Timers of the reliable channel: how long they wait is said by one number."""
    sctp = aiortc.RTCSctpTransport
    assert list(inspect.signature(sctp._update_rto).parameters) == ["self", "R"]
    for timer in (sctp._t1_start, sctp._t1_expired, sctp._t3_start, sctp._t3_restart):
        assert "call_later(self._rto," in inspect.getsource(timer)
    source = inspect.getsource(sctp._update_rto)
    assert "self._srtt + 4 * self._rttvar" in source
    assert "self._update_rto(" in inspect.getsource(sctp)


def test_the_reliable_channel_repeats_soon_and_does_not_give_up_early() -> None:
    async def test(one: Side, other: Side) -> None:
        sctp = one.connection._sctp
        one.connection.send_reliably(b"hello")
        await until(lambda: other.messages)
        await until(lambda: sctp._srtt is not None)
        sctp._update_rto(0.05)
        assert sctp._rto < aiortc.rtcsctptransport.SCTP_RTO_MIN
        sctp._update_rto(3.0)  # a line that is slower is not hurried
        assert sctp._rto > 1.0

    run(test)


def test_contract_ice() -> None:
    async def body() -> None:
        side = Side(True)
        await side.connection.gather()
        ice = side.connection._ice._connection
        assert ice.ice_controlling is True
        assert ice._nominated == {}
        assert ice._protocols
        await side.connection.close()

    asyncio.run(body())
    for method in (StunProtocol.send_data, StunProtocol.send_stun):
        assert "self.transport.sendto(" in inspect.getsource(method)
    seen: list[bytes] = []
    stub = SimpleNamespace(receiver=SimpleNamespace(data_received=lambda d, c: seen.append(d)))
    stub.local_candidate = SimpleNamespace(component=1)
    StunProtocol.datagram_received(stub, b"\x80media", ("10.0.0.1", 1))  # type: ignore[arg-type]
    assert seen == [b"\x80media"]
