"""Two connections in one process over loopback, and what they need of aiortc."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from types import SimpleNamespace

import pytest

from facewire.call.line import entrance
from facewire.call.line.transport import ice_server, is_turn
from facewire.codec.errors import CallError, ConfigError

from .pairs import Side, datagram, run, until

aiortc = pytest.importorskip("aiortc")
StunProtocol = pytest.importorskip("aioice.ice").StunProtocol
Candidate = pytest.importorskip("aioice").Candidate

TAG, RTP, UDP, IP4, IP6 = 10, 12, 8, 20, 40


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


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_clock_is_set_while_a_message_is_on_its_way(
    monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """A message that is lost after that is repeated within seconds, as before."""

    async def test(one: Side, other: Side) -> None:
        sctp = one.connection._sctp
        one.connection.send_reliably(b"before")
        await until(lambda: other.messages and not sctp._sent_queue)
        one.connection.send_reliably(b"meanwhile")
        while not sctp._sent_queue:
            await asyncio.sleep(0)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + hours * 3600.0)
        await until(lambda: len(other.messages) == 2 and not sctp._sent_queue)
        lets_in = entrance.Entrance.lets_in
        monkeypatch.setattr(entrance.Entrance, "lets_in", lambda *_: False)
        one.connection.send_reliably(b"after")
        await until(lambda: sctp._sent_queue)
        await asyncio.sleep(0.05)
        monkeypatch.setattr(entrance.Entrance, "lets_in", lets_in)
        await until(lambda: len(other.messages) == 3, 8.0)
        assert other.messages == [b"before", b"meanwhile", b"after"]

    run(test)


def test_no_round_trip_makes_the_reliable_channel_wait_long() -> None:
    async def test(one: Side, other: Side) -> None:
        sctp = one.connection._sctp
        for round_trip in (-3600.0, 3600.0, -1.0, 1e9):
            sctp._update_rto(round_trip)
            assert 0.2 <= sctp._rto <= 10.0

    run(test)


def test_ice_servers() -> None:
    assert not is_turn("stun:192.0.2.1")
    assert is_turn("turn:192.0.2.1:3479?transport=tcp")
    for url in ("example", "http://example", "stun:", "turn:a:b"):
        with pytest.raises(ConfigError, match="stun:HOST"):
            ice_server(url)
    server = ice_server("turn:192.0.2.1", "alice", "secret")
    assert (server.urls, server.username, server.credential) == (
        "turn:192.0.2.1",
        "alice",
        "secret",
    )


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
    assert "self._rx_srtp = Session(rx_policy)" in inspect.getsource(dtls._setup_srtp)
    assert "except pylibsrtp.Error" in source
    assert aiortc.rtp.is_rtcp(b"\x80\xc8")
    assert not aiortc.rtp.is_rtcp(b"\x80\x60")


def test_contract_clocks() -> None:
    """Both modules ask the name `time` for the time, and for nothing else."""
    import aioice.turn

    run(_nothing)  # a connection has been made
    for module in (aioice.turn, aiortc.rtcsctptransport):
        source = inspect.getsource(module)
        assert source.count("time.time()") == len(re.findall(r"(?<![\w.])time\.", source)) > 0
        assert module.time.time is time.monotonic


async def _nothing(one: Side, other: Side) -> None:
    """Two sides that say nothing."""


def test_contract_ice_servers() -> None:
    parse = aiortc.rtcicetransport.parse_stun_turn_uri
    assert parse("turn:192.0.2.1")["scheme"] == "turn"
    with pytest.raises(ValueError, match="malformed"):
        parse("example")


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
        assert ice._protocols[0].transactions == {}
        assert (ice.local_username, ice.local_password) == (
            side.connection.user,
            side.connection.password,
        )
        assert (ice.remote_password, ice._remote_candidates) == (None, [])
        candidate = Candidate("1", 1, "udp", 1, "192.0.2.1", 9, "host")
        await ice.add_remote_candidate(candidate)
        assert ice._remote_candidates[0]._network_host == "192.0.2.1"
        await side.connection.close()

    asyncio.run(body())
    for method in (StunProtocol.send_data, StunProtocol.send_stun):
        assert "self.transport.sendto(" in inspect.getsource(method)
    seen: list[bytes] = []
    stub = SimpleNamespace(receiver=SimpleNamespace(data_received=lambda d, c: seen.append(d)))
    stub.local_candidate = SimpleNamespace(component=1)
    assert "message.transaction_id in self.transactions" in inspect.getsource(StunProtocol)
    StunProtocol.datagram_received(stub, b"\x80media", ("10.0.0.1", 1))  # type: ignore[arg-type]
    assert seen == [b"\x80media"]
