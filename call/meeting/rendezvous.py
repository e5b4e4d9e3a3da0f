"""`Rendezvous`: the HTTP server where the two sides of a call find each other.

For each room, it passes on one sealed offer and one sealed answer, and forgets both. It keeps
nothing on disk and writes no address anywhere.

    PUT    /ROOM           Door: hash         offer    201, a token in hex       opens a room
    POST   /ROOM/guest     Door: proof                 200, offer; Token: hex    comes in, once
    PUT    /ROOM/answer    Token: guest's     answer   204                       answers, once
    GET    /ROOM/answer    Token: maker's              200, answer; 204: ask again
    DELETE /ROOM           Token: maker's              204                       closes the room
    GET    /health                                     200, JSON

Proofs, hashes and tokens are in hex. Each connection serves one request. A refusal has a status and
a sentence: 400 there is no such request, 403 the proof is wrong, 404 there is no such room, 409 the
room exists already, 410 the link was used, 413 the message is too long, 429 there are too many
requests, 503 no rooms are left.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from ...codec.errors import ConfigError, MissingExtraError
from .flood import Flood
from .link import ROOM
from .rooms import OFFER_BYTES, Limits, Refused, Rooms

if TYPE_CHECKING:
    from aiohttp import web

    _Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

__all__ = ["Rendezvous", "tls"]

_log = logging.getLogger(__name__)

_PAGE = """\
This is a link to a video call with facewire, which runs on your computer:

    pip install '.[call]'          (in a clone of facewire)
    facewire call 'THE WHOLE LINK, WITH THE PART AFTER #'

The link works for one guest and for ten minutes.
"""
_HEALTHY_S = 30.0  # beyond the wait for an answer, in which a response must have left
_HEX = 128


class Rendezvous:
    """A server; an asynchronous context manager.

    Args:
        host: address to listen on, for example "0.0.0.0" or "127.0.0.1".
        port: 0 takes a free one.
        limits: see `Limits`.
        context: certificate and key, see `tls`; None serves plain HTTP.
        behind_proxy: take the last address of `X-Forwarded-For` for that of the caller.

    Attributes:
        port: the port on which it listens, once it runs.

    Raises:
        MissingExtraError: aiohttp is not installed.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        limits: Limits | None = None,
        context: ssl.SSLContext | None = None,
        behind_proxy: bool = False,
    ) -> None:
        try:
            from aiohttp import web
        except ImportError as error:
            raise MissingExtraError("a rendezvous server", "call") from error
        self._host, self.port = host, port
        self._limits = limits or Limits()
        self._context = context
        self._behind_proxy = behind_proxy
        self._rooms = Rooms(self._limits)
        self._flood = Flood(self._limits)
        self._gates: dict[int, _Gate] = {}
        self._answered: dict[str, asyncio.Event] = {}
        self._server: asyncio.Server | None = None

        @web.middleware
        async def guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
            return await self._guard(request, handler)

        app = web.Application(middlewares=[guard], client_max_size=OFFER_BYTES)
        app.router.add_get("/health", self._health)
        app.router.add_get("/", self._page)
        room = "/{room}"
        app.router.add_get(room, self._page)
        app.router.add_put(room, self._open)
        app.router.add_delete(room, self._close)
        app.router.add_post(f"{room}/guest", self._enter)
        app.router.add_put(f"{room}/answer", self._reply)
        app.router.add_get(f"{room}/answer", self._take)
        self._web = web
        self._runner = web.AppRunner(
            app,
            access_log=None,
            logger=_silent(),
            handle_signals=False,
            shutdown_timeout=0.5,
            keepalive_timeout=0,
        )

    async def __aenter__(self) -> Rendezvous:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._gate,
                self._host,
                self.port,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.request_s if self._context else None,
                backlog=512,
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"cannot listen on {self._host}, port {self.port}: {error.strerror or error}; "
                "choose another with --port"
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for gate in list(self._gates.values()):
            gate.abort()
        await self._runner.cleanup()

    def _gate(self) -> asyncio.Protocol:
        handler = cast(Callable[[], asyncio.Protocol], self._runner.server)()
        gate = _Gate(handler, self._flood, self._limits, self._gates)
        self._gates[id(handler)] = gate
        return gate

    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Count the caller, read the request in limited time, and turn refusals into responses."""
        caller = self._flood.caller(self._address(request))
        response: web.StreamResponse
        try:
            if not self._flood.allows(caller, time.monotonic()):
                raise Refused(429, "too many requests: wait a minute")
            await request.read()  # aiohttp keeps it
            gate = self._gates.get(id(request.protocol))
            if gate is not None:
                gate.arrived()
            response = await handler(request)
        except Refused as refusal:
            response = self._web.Response(status=refusal.status, text=f"{refusal}\n")
        except self._web.HTTPException as error:
            response = self._web.Response(status=error.status, text=f"{error.reason}\n")
        except Exception as error:  # aiohttp would log it together with the caller's address
            _log.warning("a request failed: %s", type(error).__name__)
            response = self._web.Response(status=500, text="this server has a fault\n")
        response.headers.update({"Cache-Control": "no-store", "Server": "facewire"})
        response.force_close()
        return response

    def _address(self, request: web.Request) -> str:
        if self._behind_proxy:
            return request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
        peer = request.transport.get_extra_info("peername") if request.transport else None
        return str(peer[0]) if peer else ""

    async def _health(self, request: web.Request) -> web.StreamResponse:
        self._rooms.expire(time.monotonic())
        return self._web.json_response({"facewire": "rendezvous", "rooms": len(self._rooms)})

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._web.Response(text=_PAGE)

    async def _open(self, request: web.Request) -> web.StreamResponse:
        room, door = _room(request), _hex(request, "Door")
        caller, offer = self._flood.caller(self._address(request)), await request.read()
        token = self._rooms.open(room, door, offer, caller, time.monotonic())
        return self._web.Response(status=201, text=token.hex())

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        offer, token = self._rooms.enter(_room(request), _hex(request, "Door"), time.monotonic())
        return self._web.Response(body=offer, headers={"Token": token.hex()})

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        room = _room(request)
        answer = await request.read()
        self._rooms.reply(room, _hex(request, "Token"), answer, time.monotonic())
        if room in self._answered:
            self._answered[room].set()
        return self._web.Response(status=204)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        room, token = _room(request), _hex(request, "Token")
        answer = self._rooms.take(room, token, time.monotonic())
        if answer is None:
            answered = self._answered.setdefault(room, asyncio.Event())
            try:
                await asyncio.wait_for(answered.wait(), self._limits.wait_s)
            except TimeoutError:
                return self._web.Response(status=204)
            finally:
                self._answered.pop(room, None)
            answer = self._rooms.take(room, token, time.monotonic())
        return self._web.Response(status=204) if answer is None else self._web.Response(body=answer)

    async def _close(self, request: web.Request) -> web.StreamResponse:
        self._rooms.close(_room(request), _hex(request, "Token"), time.monotonic())
        return self._web.Response(status=204)


class _Gate(asyncio.Protocol):
    """Stands before a connection: refuses it if there are too many, and ends it if it takes too
    long.

    Args:
        inner: what serves the connection.
        flood: counts the connections.
        limits: see `Limits`.
        gates: the gates of all connections, by `id(inner)`; this one removes itself at the end.
    """

    def __init__(
        self, inner: asyncio.Protocol, flood: Flood, limits: Limits, gates: dict[int, _Gate]
    ) -> None:
        self._inner, self._flood, self._limits, self._gates = inner, flood, limits, gates
        self._caller: bytes | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        caller = self._flood.caller(str(peer[0]) if peer else "")
        if not self._flood.connect(caller, time.monotonic()):
            self._transport.abort()
            return
        self._caller = caller
        self._timer = asyncio.get_running_loop().call_later(self._limits.request_s, self.abort)
        self._inner.connection_made(transport)

    def arrived(self) -> None:
        """Note that the request is here, and set the time by which the response must have left."""
        if self._timer is not None:
            self._timer.cancel()
        seconds = self._limits.wait_s + _HEALTHY_S
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._caller is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._caller is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._gates.pop(id(self._inner), None)
        if self._timer is not None:
            self._timer.cancel()
        if self._caller is not None:
            self._flood.disconnect(self._caller)
            self._caller = None
            self._inner.connection_lost(error)


def tls(certificate: str, key: str) -> ssl.SSLContext:
    """Read the certificate chain and the key of a server from PEM files.

    Raises:
        ConfigError: a file is missing, or does not hold what it should.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        raise ConfigError(
            f"{certificate} and {key} are not a certificate and its key in PEM form"
        ) from error
    except OSError as error:
        raise ConfigError(f"{certificate} or {key} cannot be read: {error.strerror}") from error
    return context


def _silent() -> logging.Logger:
    """Takes aiohttp's messages, which name the addresses of callers, and drops them."""
    logger = logging.Logger("facewire.rendezvous.http")  # not part of the tree of loggers
    logger.disabled = True
    return logger


def _room(request: web.Request) -> str:
    room = request.match_info["room"]
    if not ROOM.fullmatch(room):
        raise Refused(400, "this is not a name of a room")
    return room


def _hex(request: web.Request, header: str) -> bytes:
    text = request.headers.get(header, "")
    try:
        return bytes.fromhex(text if len(text) <= _HEX else "-")
    except ValueError:
        raise Refused(400, f"the header {header} must be hexadecimal") from None
