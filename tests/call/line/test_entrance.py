"""What comes through the sockets of a call: from the other side, from strangers, and too much."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
import tracemalloc

import pytest

from .pairs import Side, datagram, run, until

pytest.importorskip("aiortc")


def _address(side: Side) -> tuple[str, int]:
    """The socket of a side at which the other side's packets arrive."""
    (pair,) = side.connection._ice._connection._nominated.values()
    local: tuple[str, int] = pair.local_addr
    return local


def _family(address: tuple[str, int]) -> int:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def _check_of_nobody(name: str) -> bytes:
    """A check of ICE to somebody of this name, made with another password."""
    from aioice import stun

    check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    check.attributes["USERNAME"] = f"{name}:abcd"
    check.attributes["PRIORITY"] = 1
    check.attributes["ICE-CONTROLLING"] = 1
    check.attributes["USE-CANDIDATE"] = None
    check.add_message_integrity(b"another password than the right one")
    return bytes(check)


def rubbish(side: Side) -> dict[str, bytes]:
    """Packets that a stranger may send to a side: some that look right, and some that do not."""
    source = 0x12340000  # as `datagram` makes it
    rtp = struct.pack("!BBHII", 0x80, 96, 7, 500, source)
    check = _check_of_nobody(side.connection.user)
    return {
        "media with a source of the other side": rtp + bytes(100),
        "media with a source of its own": struct.pack("!BBHII", 0x80, 96, 7, 500, 9) + bytes(100),
        "media that are longer than libsrtp takes": rtp + bytes(3000),
        "RTCP": struct.pack("!BBHI", 0x80, 200, 6, source) + bytes(40),
        "a check with a wrong password": check,
        "a check for somebody else": _check_of_nobody("nobody"),
        "a check that is cut": check[:30],
        "a long check": check[:2] + b"\xff\xe8" + check[4:20] + bytes(0xFFE8 - 600),
        "an answer to nothing": b"\x01\x01" + check[2:],
        "a DTLS alert": bytes.fromhex("15fefd000000000000000900020228"),
        "a DTLS handshake": bytes.fromhex("16fefd0000000000000000") + b"\x00\x40" + bytes(64),
        "nothing": b"",
        "other bytes": b"\x50" + bytes(200),
    }


def test_strangers_are_dropped_and_counted() -> None:
    """Each packet of a third socket is counted, is not answered, and changes nothing."""

    async def test(one: Side, other: Side) -> None:
        one.connection.send(datagram(0))
        await until(lambda: other.datagrams)
        at, traffic = _address(other), other.connection.traffic
        with socket.socket(_family(at), socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            for name, packet in rubbish(other).items():
                before, received = traffic.dropped, traffic.received
                heard = traffic.heard = traffic.heard - 100.0
                stranger.sendto(packet, at)
                await until(lambda r=received: traffic.received > r)
                assert traffic.dropped == before + 1, name
                if traffic.received == received + 1:  # no check of the other side came meanwhile
                    assert traffic.heard == heard, name
            await asyncio.sleep(0.2)
            with pytest.raises(BlockingIOError):
                stranger.recv(100)
        assert other.connection._ice._connection._queue.empty()
        assert not one.ends
        assert not other.ends
        one.connection.send(datagram(1))
        other.connection.send(datagram(1))
        await until(lambda: len(other.datagrams) == 2 and one.datagrams)
        assert traffic.heard > time.monotonic() - 5

    run(test)


def test_what_is_forged_in_the_other_sides_name() -> None:
    """Somebody who sees the packets can also send some from the other side's own address. They do
    not show that the line is alive, and use nothing up that the other side may send.
    """

    async def test(one: Side, other: Side) -> None:
        one.connection.send(datagram(0))
        await until(lambda: other.datagrams)
        (pair,) = other.connection._ice._connection._nominated.values()
        traffic, whose = other.connection.traffic, pair.remote_addr
        dropped, heard = traffic.dropped, traffic.heard
        for _ in range(60):
            for name, packet in rubbish(other).items():
                if "DTLS" not in name:  # OpenSSL drops it, but later
                    pair.protocol.datagram_received(packet[:1400], whose)
        assert traffic.heard == heard
        assert traffic.dropped == dropped + 60 * 11
        for number in range(300):  # 330 kB, and 512 kB may come at once
            one.connection.send(datagram(number, 1100))
            if number % 20 == 19:
                await asyncio.sleep(0.01)
        await until(lambda: len(other.datagrams) == 301)
        assert traffic.dropped == dropped + 60 * 11

    run(test)


def test_strangers_before_the_call_begins() -> None:
    """While a side waits for its guest, nothing of a stranger is kept, and the call begins."""

    async def body() -> None:
        one, other = Side(True), Side(False)
        try:
            first, second = await one.connection.gather(), await other.connection.gather()
            ice, traffic = one.connection._ice._connection, one.connection.traffic
            with contextlib.ExitStack() as stack:
                for candidate in first:
                    at = (candidate.address, candidate.port)
                    kind = _family(at)
                    stranger = stack.enter_context(socket.socket(kind, socket.SOCK_DGRAM))
                    for packet in rubbish(one).values():
                        stranger.sendto(packet, at)
                count = len(first) * len(rubbish(one))
                await until(lambda: traffic.received == count)
                assert traffic.dropped == count
                assert (traffic.sent, ice._queue.empty(), len(ice._early_checks)) == (0, True, 0)
            await asyncio.gather(one.connect(other, second), other.connect(one, first))
            one.connection.send(datagram(0))
            await until(lambda: other.datagrams)
        finally:
            await one.connection.close()
            await other.connection.close()

    asyncio.run(body())


def test_a_stranger_floods_a_call() -> None:
    """A third socket sends some megabytes of what looks like media, and of rubbish, while the two
    sides talk: everything that they say arrives, and all of the flood that came is counted.
    """

    async def test(one: Side, other: Side) -> None:
        one.connection.send(datagram(0))
        await until(lambda: other.datagrams)
        at, traffic = _address(other), other.connection.traffic
        packets = [packet for packet in rubbish(other).values() if packet]
        with socket.socket(_family(at), socket.SOCK_DGRAM) as stranger:
            flooded = 0
            for number in range(1, 101):
                for packet in packets:
                    for size in (len(packet), 1400):
                        stranger.sendto(packet.ljust(size, b"x")[:1400], at)
                        flooded += 1
                one.connection.send(datagram(number))
                other.connection.send(datagram(number))
                await asyncio.sleep(0.005)
        await until(lambda: len(other.datagrams) == 101 and len(one.datagrams) == 100)
        await until(lambda: traffic.dropped == flooded)
        assert traffic.received_bytes > 1_500_000  # more than the allowance at once
        assert not one.ends
        assert not other.ends

    run(test)


def test_the_other_side_sends_10_mbit() -> None:
    """What is too much is dropped and not kept, and the other direction does not notice."""

    async def test(one: Side, other: Side) -> None:
        one.connection.send(datagram(0))
        await until(lambda: other.datagrams)
        traffic, number, sent, said = other.connection.traffic, 0, 0.0, 0
        kept = bytes_now = 0
        tracemalloc.start()
        try:
            began = last = time.monotonic()
            while last - began < 3.0:
                await asyncio.sleep(0.01)
                now = time.monotonic()
                sent += min(now - last, 0.05) * 10e6 / 8
                last = now
                while sent > 1170:
                    sent, number = sent - 1170, number + 1
                    one.connection.send(datagram(number, 1100))
                other.connection.send(datagram(said))
                said += 1
                kept += sum(len(each) for each in other.datagrams)
                other.datagrams.clear()
                if not bytes_now:
                    bytes_now, _ = tracemalloc.get_traced_memory()
            await until(lambda: len(one.datagrams) == said)
            other.datagrams.clear()
            one.datagrams.clear()
            grown = tracemalloc.get_traced_memory()[0] - bytes_now
        finally:
            tracemalloc.stop()
        passed = time.monotonic() - began
        assert traffic.received_bytes > 1_000_000  # however busy the machine is
        assert traffic.dropped > 300
        assert kept < 512_000 + passed * 125_000
        assert grown < 500_000
        assert other.connection._ice._connection._queue.empty()
        assert traffic.heard > time.monotonic() - 2

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
