"""The server on loopback: calls find together, and nothing that comes hurts it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from facewire.call.meeting.client import Meeting
from facewire.call.meeting.link import Link
from facewire.call.meeting.rendezvous import Rendezvous, tls
from facewire.call.meeting.rooms import OFFER_BYTES, Limits
from facewire.codec.errors import ConfigError, RendezvousError, RoomError, SealError

aiohttp = pytest.importorskip("aiohttp")
pytest.importorskip("cryptography")

QUICK = Limits(request_s=0.3, wait_s=0.2)


def serve(test: Callable[[Rendezvous], Awaitable[None]], **settings: Any) -> None:
    async def body() -> None:
        async with Rendezvous(**settings) as server:
            await test(server)

    asyncio.run(body())


def link_to(server: Rendezvous) -> Link:
    return Link.make(f"http://127.0.0.1:{server.port}")


async def call(link: Link, number: int) -> tuple[bytes, bytes]:
    """Both sides of one call: the offer and the answer as they came."""
    async with Meeting(link) as maker, Meeting(link) as guest:
        await maker.open(b"offer %d" % number)
        waiting = asyncio.ensure_future(maker.answer())
        offer = await guest.enter()
        await guest.reply(b"answer %d" % number)
        return offer, await waiting


def test_a_call() -> None:
    async def test(server: Rendezvous) -> None:
        link = link_to(server)
        assert await call(link, 1) == (b"offer 1", b"answer 1")
        async with Meeting(link) as late:  # the room is used up, and the offer is gone
            with pytest.raises(RoomError, match="used"):
                await late.enter()

    serve(test)


def test_the_answer_may_come_long_after() -> None:
    async def test(server: Rendezvous) -> None:
        link = link_to(server)
        async with Meeting(link) as maker, Meeting(link) as guest:
            await maker.open(b"offer")
            waiting = asyncio.ensure_future(maker.answer())
            await asyncio.sleep(0.5)  # longer than the server keeps a request
            await guest.enter()
            await guest.reply(b"answer")
            assert await waiting == b"answer"

    serve(test, limits=QUICK)


def test_a_third_guest_and_a_wrong_secret() -> None:
    async def test(server: Rendezvous) -> None:
        link = link_to(server)
        other = Link(link.server, link.room, bytes(16))
        async with Meeting(link) as maker, Meeting(link) as guest, Meeting(link) as third:
            await maker.open(b"offer")
            async with Meeting(other) as wrong:
                with pytest.raises(RoomError, match="secret"):
                    await wrong.enter()
            await guest.enter()
            with pytest.raises(RoomError, match="used"):
                await third.enter()
            with pytest.raises(RoomError, match="before"):
                await third.open(b"offer")
            await guest.reply(b"answer")
            assert await maker.answer() == b"answer"
            with pytest.raises(RoomError, match="used"):
                await third.enter()

    serve(test)


def test_a_room_that_nobody_opened_or_that_was_left() -> None:
    async def test(server: Rendezvous) -> None:
        link = link_to(server)
        async with Meeting(link) as guest:
            with pytest.raises(RoomError, match="no such room"):
                await guest.enter()
            async with Meeting(link) as maker:
                await maker.open(b"offer")
            with pytest.raises(RoomError, match="used"):
                await guest.enter()

    serve(test)


def test_nobody_comes() -> None:
    async def test(server: Rendezvous) -> None:
        async with Meeting(link_to(server)) as maker:
            await maker.open(b"offer")
            with pytest.raises(RoomError, match="nobody came"):
                await maker.answer(0.0)

    serve(test, limits=QUICK)


def test_200_calls_at_once() -> None:
    """From 40 addresses, as 127.0.0.0/8 has them; beyond that the limits of one address count."""

    async def test(server: Rendezvous) -> None:
        original = aiohttp.ClientSession

        def session(number: int) -> Any:
            address = (f"127.0.1.{number % 40 + 1}", 0)
            return lambda **kw: original(connector=aiohttp.TCPConnector(local_addr=address), **kw)

        async def one(number: int) -> None:
            link = link_to(server)
            maker, guest = Meeting(link), Meeting(link)
            for side in (maker, guest):
                side._aiohttp = _With(aiohttp, session(number))  # type: ignore[assignment]
            async with maker, guest:
                await maker.open(b"offer %d" % number)
                waiting = asyncio.ensure_future(maker.answer())
                await inside.wait()
                assert await guest.enter() == b"offer %d" % number
                await guest.reply(b"answer %d" % number)
                assert await waiting == b"answer %d" % number

        inside = asyncio.Event()
        calls = [asyncio.ensure_future(one(number)) for number in range(200)]
        while len(server._rooms) < 200:
            await asyncio.sleep(0.05)
            for done in calls:
                if done.done():
                    done.result()
        inside.set()
        await asyncio.gather(*calls)

    serve(test)


class _With:
    """A module with another `ClientSession`."""

    def __init__(self, module: Any, session: Any) -> None:
        self._module = module
        self.ClientSession = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


async def raw(server: Rendezvous, data: bytes, seconds: float = 5.0) -> bytes:
    """What the server says to bytes, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9, b"400"),  # TLS to a plain port
        (b"GET /" + b"A" * 20_000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /AAAAAAAAAAAA/answer HTTP/1.1\r\nHost: x\r\nToken: no\r\n\r\n", b"400"),
        (b"POST /x/guest HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"400"),
        (b"PUT /AAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nDoor: " + b"0" * 64 + b"\r\n\r\n", b"400"),
        (b"PATCH / HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"GET /AAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\n\r\n", b"facewire call"),
    ],
)
def test_garbage(data: bytes, expected: bytes) -> None:
    async def test(server: Rendezvous) -> None:
        assert expected in await raw(server, data)
        assert await call(link_to(server), 2) == (b"offer 2", b"answer 2")  # it goes on

    serve(test)


def test_a_body_that_is_too_long_is_not_kept() -> None:
    async def test(server: Rendezvous) -> None:
        head = b"PUT /AAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nDoor: " + b"0" * 64 + b"\r\n"
        big = head + b"Content-Length: 100000\r\n\r\n" + bytes(100_000)
        assert b"413" in (await raw(server, big))[:30]
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        chunked += (b"%x\r\n" % OFFER_BYTES + bytes(OFFER_BYTES) + b"\r\n") * 4 + b"0\r\n\r\n"
        assert b"413" in (await raw(server, chunked))[:30]
        assert len(server._rooms) == 0

    serve(test)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET /health HTT",
        b"PUT /AAAAAAAAAAAA HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc",
    ],
)
def test_slow_clients_are_shown_the_door(data: bytes) -> None:
    async def test(server: Rendezvous) -> None:
        began = time.monotonic()
        await raw(server, data)
        assert time.monotonic() - began < 4.0  # the limit is 0.3 s; a busy machine may be late

    serve(test, limits=QUICK)


def test_one_address_cannot_take_all_connections() -> None:
    async def test(server: Rendezvous) -> None:
        held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(8)]
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(held[-1][0].read(), 5.0) == b""  # refused at once
        for _, writer in held:
            writer.close()

    serve(test, limits=Limits(connections_each=4))


def test_requests_are_limited() -> None:
    async def test(server: Rendezvous) -> None:
        said = [await raw(server, b"GET /health HTTP/1.0\r\n\r\n") for _ in range(8)]
        assert [b" 200 " in text[:15] for text in said] == [True] * 5 + [False] * 3
        async with Meeting(link_to(server)) as maker:
            with pytest.raises(RendezvousError, match="wait a minute"):
                await maker.open(b"offer")

    serve(test, limits=Limits(burst=5, rate=0.0))


def test_behind_a_proxy_the_callers_are_told_apart() -> None:
    async def test(server: Rendezvous) -> None:
        ask = b"GET /health HTTP/1.0\r\nX-Forwarded-For: 1.2.3.4, 10.0.0.%d\r\n\r\n"
        said = [await raw(server, ask % (n % 2)) for n in range(4)]
        assert [b" 200 " in text[:15] for text in said] == [True, True, False, False]

    serve(test, limits=Limits(burst=1, rate=0.0), behind_proxy=True)


def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def test(server: Rendezvous) -> None:
        assert await call(link_to(server), 3) == (b"offer 3", b"answer 3")
        await raw(server, b"garbage\r\n\r\n")

        server._rooms = None  # type: ignore[assignment]
        assert b" 500 " in (await raw(server, b"GET /health HTTP/1.0\r\n\r\n"))[:15]

    with caplog.at_level(logging.DEBUG):
        serve(test)
    assert "a request failed" in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_a_port_that_is_taken() -> None:
    async def test(server: Rendezvous) -> None:
        with pytest.raises(ConfigError, match="--port"):
            async with Rendezvous(port=server.port):
                pass

    serve(test)


async def lying(response: bytes, test: Callable[[int], Awaitable[None]]) -> None:
    """A server that says the same to everything."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(response)
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        await test(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    "response",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(100_000),
        b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.9/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
        b"",
    ],
)
def test_servers_that_are_none(response: bytes) -> None:
    async def test(port: int) -> None:
        async with Meeting(Link.make(f"http://127.0.0.1:{port}")) as guest:
            with pytest.raises(RendezvousError, match="does not answer as a rendezvous"):
                await guest.enter()
        async with Meeting(Link.make(f"http://127.0.0.1:{port}")) as maker:
            with pytest.raises(RendezvousError, match="does not answer as a rendezvous"):
                await maker.open(b"offer")

    asyncio.run(lying(response, test))


def test_a_server_that_swaps_the_offer() -> None:
    async def test(port: int) -> None:
        async with Meeting(Link.make(f"http://127.0.0.1:{port}")) as guest:
            with pytest.raises(SealError, match="secret"):
                await guest.enter()

    sealed = b"\x01" + bytes(92)
    head = b"HTTP/1.1 200 OK\r\nToken: 00\r\nContent-Length: %d\r\n\r\n" % len(sealed)
    asyncio.run(lying(head + sealed, test))


def test_no_server() -> None:
    async def test() -> None:
        async with Meeting(Link.make("http://127.0.0.1:9")) as guest:
            with pytest.raises(RendezvousError, match="no server answers"):
                await guest.enter()

    asyncio.run(test())


def test_tls(tmp_path: Any) -> None:
    """A certificate that nobody vouches for is refused; files that are none get a sentence."""
    certificate, key = self_signed(tmp_path)

    async def test(server: Rendezvous) -> None:
        async with Meeting(Link.make(f"https://127.0.0.1:{server.port}")) as guest:
            with pytest.raises(RendezvousError, match="certificate"):
                await guest.enter()

    serve(test, context=tls(certificate, key))
    with pytest.raises(ConfigError, match="PEM"):
        tls(key, certificate)
    with pytest.raises(ConfigError, match="cannot be read"):
        tls(str(tmp_path / "none.pem"), key)


def self_signed(folder: Any) -> tuple[str, str]:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now)
        .not_valid_after(now + datetime.timedelta(days=9999))
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "c.pem"), str(folder / "k.pem")
