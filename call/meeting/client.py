"""`Meeting`: how a side of a call speaks to a rendezvous server.

It connects to the server of the link only: it follows no redirections, uses no proxies of the
environment, and keeps no cookies.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, NoReturn

from ...codec.errors import MissingExtraError, RendezvousError, RoomError, UsedRoomError
from .link import Link
from .rooms import OFFER_BYTES
from .sealing import Seal

if TYPE_CHECKING:
    import aiohttp

__all__ = ["ROOM_SECONDS", "Meeting"]

ROOM_SECONDS = 600.0
"""How long a room lasts, and so how long its maker waits."""
_CONNECT_S = 10.0
_RESPONSE_S = 40.0  # a server may keep a request for an answer 25 s
_PAUSE_S = 1.0  # before a server that answers too fast is asked again
_USED = "this link was used: it lets one guest in. Ask for a new one"
_OVER = "there is no such room: a link works for ten minutes and one call. Ask for a new one"
_SECRET = "the secret of this link is another one than that of the room: copy the whole link"
_BUSY = {429: "is asked too much from this address: wait a minute", 503: "has no room left"}


class Meeting:
    """One side in one room; an asynchronous context manager.

    Args:
        link: the link of the room.
        connect_s: seconds in which a server must accept a connection.

    Raises:
        MissingExtraError: aiohttp or cryptography is not installed.
    """

    def __init__(self, link: Link, connect_s: float = _CONNECT_S) -> None:
        try:
            import aiohttp
        except ImportError as error:
            raise MissingExtraError("a call", "call") from error
        self._aiohttp = aiohttp
        self._link, self._connect_s = link, connect_s
        self._seal = Seal(link)
        self._session: aiohttp.ClientSession | None = None
        self._maker = self._guest = ""
        self._offer = b""

    async def __aenter__(self) -> Meeting:
        self._session = self._aiohttp.ClientSession(
            trust_env=False,
            auto_decompress=False,
            cookie_jar=self._aiohttp.DummyCookieJar(),
            timeout=self._aiohttp.ClientTimeout(total=_RESPONSE_S, connect=self._connect_s),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the room if this side opened it and nobody came."""
        if self._session is None:
            return
        try:
            if self._maker:
                headers = {"Token": self._maker}
                await asyncio.wait_for(self._ask("DELETE", "", headers), 2.0)
        except (RendezvousError, RoomError, TimeoutError):
            pass
        finally:
            await self._session.close()

    async def open(self, offer: bytes) -> None:
        """Open the room with an offer, which is sealed here.

        Raises:
            UsedRoomError: there is such a room already.
            RendezvousError: there is no server, or it refuses, or it breaks the protocol.
        """
        self._offer = self._seal.offer(offer)
        door = hashlib.sha256(self._seal.door).hexdigest()
        status, body, _ = await self._ask("PUT", "", {"Door": door}, self._offer)
        if status == 409:
            raise UsedRoomError("this room was opened before: a link is for one call")
        if status != 201:
            self._refused(status)
        self._maker = body.decode(errors="replace")

    async def answer(self, seconds: float = ROOM_SECONDS) -> bytes:
        """Wait for the guest, and open the answer.

        Raises:
            RoomError: nobody came while the room lasted.
            SealError: the answer was not made with the link's secret, or for another offer.
            RendezvousError: as `open`.
        """
        ends = time.monotonic() + seconds
        while True:
            began = time.monotonic()
            status, body, _ = await self._ask("GET", "/answer", {"Token": self._maker})
            if status == 200:
                self._maker = ""
                return self._seal.open_answer(body, self._offer)
            if time.monotonic() >= ends or status in (403, 404):
                raise RoomError("nobody came within ten minutes, and the link is no longer valid")
            if status != 204:
                self._refused(status)
            if time.monotonic() - began < _PAUSE_S:
                await asyncio.sleep(_PAUSE_S)

    async def enter(self) -> bytes:
        """Come in as the guest, and open the offer.

        Raises:
            UsedRoomError: somebody came in before.
            RoomError: the link is too old, or its secret is wrong.
            SealError: the offer was not made with the link's secret.
            RendezvousError: as `open`.
        """
        headers = {"Door": self._seal.door.hex()}
        status, body, received = await self._ask("POST", "/guest", headers)
        if status != 200:
            self._refused(status)
        self._offer, self._guest = body, received.get("Token", "")
        return self._seal.open_offer(body)

    async def reply(self, answer: bytes) -> None:
        """Leave the answer to the offer, sealed.

        Raises:
            RoomError: the room's time is over.
            RendezvousError: as `open`.
        """
        sealed = self._seal.answer(answer, self._offer)
        status, _, _ = await self._ask("PUT", "/answer", {"Token": self._guest}, sealed)
        if status != 204:
            self._refused(status)

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send a request; returns status, body and headers of the response."""
        assert self._session is not None
        server = self._link.server
        try:
            async with self._session.request(
                method,
                f"{server}/{self._link.room}{path}",
                headers=headers,
                data=body,
                allow_redirects=False,
            ) as response:
                data = await _bounded(response)
                return response.status, data, dict(response.headers)
        except self._aiohttp.ClientConnectorCertificateError as error:
            raise RendezvousError(f"the certificate of {server} is not valid for it") from error
        except self._aiohttp.ClientConnectorError as error:
            raise RendezvousError(
                f"no server answers at {server}: is it running, and is the address reachable "
                "from here?"
            ) from error
        except (self._aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise RendezvousError(f"{server} does not answer as a rendezvous server") from error

    def _refused(self, status: int) -> NoReturn:
        server = self._link.server
        sentences = {403: _SECRET, 404: _OVER}
        if status == 410:
            raise UsedRoomError(_USED)
        if status in sentences:
            raise RoomError(sentences[status])
        if status in _BUSY:
            raise RendezvousError(f"{server} {_BUSY[status]}")
        raise RendezvousError(f"{server} does not answer as a rendezvous server (status {status})")


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """Read the body; raises `ValueError` if it is longer than any message of the protocol."""
    data = b""
    async for chunk in response.content.iter_chunked(OFFER_BYTES):
        data += chunk
        if len(data) > OFFER_BYTES:
            raise ValueError("too long")
    return data
