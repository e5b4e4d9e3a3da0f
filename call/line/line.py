"""`Line`: the connection to the other side of a call, made again when it is lost.

    waiting      the room is open, and nobody has come yet
    connecting   both have met, and a path between them is being looked for
    connected    datagrams go both ways
    quiet        nothing has come for 3 s
    lost         the path is gone, and a new one is being made
    ended        the line is closed for good; the sentence says why

When the line is quiet or lost (this side's address is gone, or ICE gives up), both meet again in a
room whose name only they can compute (`Link.again`), and make a new connection with the same
certificates. If the old path comes back first, it is kept. Without a server (`codes.py`) the
two cannot meet again; only the old path can come back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ...codec.errors import CallError, PeerError, RoomError, UsedRoomError
from ..meeting.client import Meeting
from ..meeting.codes import AnswerCode, OfferCode
from ..meeting.description import Description
from ..meeting.link import Link
from ..meeting.sealing import Seal
from ..meeting.words import NONCE_BYTES, commitment, commits_to, spoken
from ..signing import ends_of
from .transport import Connection, certificate, fingerprint

if TYPE_CHECKING:
    from aiortc import RTCIceServer

__all__ = ["Line", "LineState", "Totals"]

_log = logging.getLogger(__name__)

_CONNECT_S = 30.0
_QUIET_S = 3.0
_GIVE_UP_S = 300.0
_TICK_S = 0.1
_ADDRESSES_S = 1.0
_PAUSE_S = 0.5  # between attempts to meet again
_NONCE, _DATAGRAMS = b"N", b"D"  # first byte of reliable messages
_LENGTH = struct.Struct("<H")  # before each datagram in one


class LineState(Enum):
    """The state of a line; the module's docstring explains each."""

    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    QUIET = "quiet"
    LOST = "lost"
    ENDED = "ended"


@dataclass(slots=True)
class Totals:
    """IP bytes and packets of all connections of a line; see `traffic.Traffic`.

    Attributes:
        sent_bytes, sent, received_bytes, received, dropped: as in `Traffic`.
        connections: how often a connection was made.
    """

    sent_bytes: int = 0
    sent: int = 0
    received_bytes: int = 0
    received: int = 0
    dropped: int = 0
    connections: int = 0


class Line:
    """The connection to the other side. All of it belongs to one event loop.

    Args:
        link: the link of the room; None for a call without a server.
        maker: whether this side made the link.
        abilities: what this side can run, at most 1024 bytes.
        servers: ICE servers, none by default.
        on_state: is called with each state and a sentence ("" if there is nothing to say).
        on_datagram: is called with each datagram.
        on_abilities: is called with what the other side can run and what stands for both ends
            (`signing.ends_of`), before anything else comes. An error that it raises ends the call.
        on_code: is called with a code that a person must send to the other side.

    Attributes:
        words: four words to compare, once connected; () before that.
        state: see `LineState`.
    """

    def __init__(
        self,
        link: Link | None,
        *,
        maker: bool,
        abilities: bytes,
        servers: Sequence[RTCIceServer] = (),
        on_state: Callable[[LineState, str], None],
        on_datagram: Callable[[bytes], None],
        on_abilities: Callable[[bytes, bytes], None],
        on_code: Callable[[str], None] = lambda code: None,
    ) -> None:
        self._link, self._maker, self._abilities = link, maker, abilities
        self._servers = servers
        self._on_state, self._on_datagram = on_state, on_datagram
        self._on_abilities, self._on_code = on_abilities, on_code
        self.words: tuple[str, ...] = ()
        self.state = LineState.WAITING if maker else LineState.CONNECTING
        self._own = certificate()
        self._other: bytes | None = None  # fingerprint of the other side, from the first time on
        self._connection: Connection | None = None
        self._before = Totals()
        self._again = 1
        self._left = self._gone = False
        self._anew: asyncio.Task[Connection] | None = None  # makes another connection
        self._since: float | None = None  # when the line was lost; None: it is there
        self._looked = 0.0  # when this machine's address was looked at last
        self._fault: CallError | None = None
        self._given: asyncio.Queue[str] = asyncio.Queue()

    def give_code(self, code: str) -> None:
        """Take the code that the other side sent. `run` raises `LinkError` if it is not a code."""
        self._given.put_nowait(code)

    def send(self, datagram: bytes) -> None:
        """Send a datagram. While there is no path, it is lost without an error."""
        if self._connection is not None:
            self._connection.send(datagram)

    def send_reliably(self, datagrams: Sequence[bytes]) -> None:
        """Send datagrams in one message of at most 64 kB, which arrives unless the path is lost."""
        if self._connection is not None:
            parts = (_LENGTH.pack(len(datagram)) + datagram for datagram in datagrams)
            self._connection.send_reliably(_DATAGRAMS + b"".join(parts))

    def totals(self) -> Totals:
        """Counts of everything that went over the line so far."""
        totals = Totals(**{name: getattr(self._before, name) for name in Totals.__slots__})
        if self._connection is not None:
            _add(totals, self._connection)
        return totals

    async def run(self) -> None:
        """Meet, connect, and keep the line until the other side leaves or this task is cancelled.

        Raises:
            CallError: the call cannot begin, or the line did not come back within five minutes.
        """
        try:
            connection = await self._first()
            self._use(connection)
            await self._keep()
            self._say(LineState.ENDED, "the other side left")
        finally:
            self.state = LineState.ENDED
            if self._connection is not None:
                await self._connection.close()

    # -- meeting

    async def _first(self) -> Connection:
        if self._link is not None:
            async with Meeting(self._link) as meeting:
                return await self._meet(meeting)
        return await self._meet(_Codes(self._on_code, self._given.get))

    async def _meet(self, meeting: Meeting | _Codes) -> Connection:
        """Exchange descriptions and connect."""
        connection = Connection(
            maker=self._maker,
            own=self._own,
            servers=self._servers,
            on_datagram=self._on_datagram,
            on_message=lambda message: self._message(message),
            on_end=self._ended,
        )
        nonce = os.urandom(NONCE_BYTES)
        try:
            candidates = await connection.gather()
            shown = commitment(nonce) if self._maker else nonce
            own = Description(
                connection.user,
                connection.password,
                fingerprint(self._own),
                candidates,
                shown,
                self._abilities,
            )
            if self._maker:
                await meeting.open(bytes(own))
                if self._connection is None:
                    self._say(LineState.WAITING)
                other = self._checked(await meeting.answer(), 16)
            else:
                other = self._checked(await meeting.enter(), 32)
                await meeting.reply(bytes(own))
            if self._connection is None:
                self._say(LineState.CONNECTING)
            self._expected = (own, other, nonce)
            await connection.connect(
                other.user, other.password, other.fingerprint, other.candidates, _CONNECT_S
            )
            if self._maker:
                connection.send_reliably(_NONCE + nonce)
                self._speak(nonce, other.nonce)
            return connection
        except BaseException:
            await connection.close(tell=self._connection is None)
            raise

    def _checked(self, data: bytes, nonce_bytes: int) -> Description:
        other = Description.parse(data)
        if len(other.nonce) != nonce_bytes:
            raise PeerError("the other side took this side's part of the call")
        if other.fingerprint == fingerprint(self._own):
            raise PeerError("this side's own message came back: the server repeats")
        if self._other is None:
            pair = (fingerprint(self._own), other.fingerprint)
            self._on_abilities(other.abilities, ends_of(*pair if self._maker else pair[::-1]))
        elif other.fingerprint != self._other:
            raise PeerError("somebody else came in place of the other side")
        self._other = other.fingerprint
        return other

    def _message(self, message: bytes) -> None:
        """Take a reliable message: the maker's nonce, or datagrams that must not be lost."""
        kind, body = message[:1], message[1:]
        if kind == _DATAGRAMS:
            while len(body) >= _LENGTH.size:
                end = _LENGTH.size + _LENGTH.unpack_from(body)[0]
                self._on_datagram(body[_LENGTH.size : end])
                body = body[end:]
        elif kind == _NONCE and not self._maker:
            _, other, nonce = self._expected
            if commits_to(other.nonce, body):
                self._speak(body, nonce)
            else:
                self._fault = PeerError(
                    "the other side's certificate is not the one that it began with: somebody "
                    "stands between"
                )

    def _speak(self, maker_nonce: bytes, guest_nonce: bytes) -> None:
        """Make the words. Those of the first connection stay, since later ones have its
        certificates.
        """
        if not self.words:
            own, other, _ = self._expected
            pair = (own.fingerprint, other.fingerprint)
            maker, guest = pair if self._maker else pair[::-1]
            self.words = spoken(maker, guest, maker_nonce, guest_nonce)

    # -- keeping

    def _use(self, connection: Connection) -> None:
        """Use this connection from now on."""
        if self._connection is not None:
            _add(self._before, self._connection)
        self._connection = connection
        self._before.connections += 1
        self._gone, self._since = False, None
        self._say(LineState.CONNECTED)

    def _ended(self, left: bool) -> None:
        self._left, self._gone = self._left or left, True

    async def _keep(self) -> None:
        """Keep the line until the other side leaves."""
        try:
            while not self._left:
                if self._fault is not None:
                    raise self._fault
                await self._look(time.monotonic())
                await asyncio.sleep(_TICK_S)
        finally:
            if self._anew is not None:
                self._anew.cancel()
                with contextlib.suppress(asyncio.CancelledError, CallError):
                    late = await self._anew
                    await late.close(tell=False)

    async def _look(self, now: float) -> None:
        """Look whether the line is there. While it is not, another one is made."""
        connection = self._connection
        assert connection is not None
        if now - self._looked >= _ADDRESSES_S:
            self._looked = now
            self._gone = self._gone or not _is_here(connection.local_address())
        if self._anew is not None and self._anew.done():
            self._use(self._anew.result())
            self._anew = None
            await connection.close(tell=False)
        elif self._gone or now - connection.traffic.heard >= _QUIET_S:
            if self._anew is None and self._link is not None:
                self._anew = asyncio.ensure_future(self._meet_again())
            self._say(LineState.LOST if self._gone else LineState.QUIET)
            self._since = now if self._since is None else self._since
            self._give_up(now - self._since)
        elif self.state != LineState.CONNECTED:
            if self._anew is not None:
                self._anew.cancel()
                self._anew = None
            self._since = None
            self._say(LineState.CONNECTED)

    def _give_up(self, seconds: float) -> None:
        if self._gone and self._link is None:
            raise CallError("the line was lost, and without a server nobody can meet again")
        if seconds > _GIVE_UP_S:
            raise CallError("the line was lost and did not come back for five minutes")

    async def _meet_again(self) -> Connection:
        """Try until it works. If a room was used in vain, both sides go on to the next one."""
        assert self._link is not None
        while True:
            try:
                link = self._link.again(self._again)
                async with Meeting(link, connect_s=2.0) as meeting:
                    connection = await self._meet(meeting)
                self._again += 1
                return connection
            except UsedRoomError:
                self._again += 1
            except PeerError:
                raise
            except RoomError:
                await asyncio.sleep(_PAUSE_S)  # the other side has not opened it yet
            except CallError as error:
                _log.debug("meeting again: %s", error)
                await asyncio.sleep(_PAUSE_S)

    def _say(self, state: LineState, sentence: str = "") -> None:
        if state != self.state or sentence or state == LineState.WAITING:
            self.state = state
            self._on_state(state, sentence)


class _Codes:
    """Does what `Meeting` does, with codes that people carry."""

    def __init__(self, show: Callable[[str], None], given: Callable[[], Awaitable[str]]) -> None:
        self._show, self._given = show, given
        self._link = OfferCode.nowhere()
        self._offer = b""

    async def open(self, offer: bytes) -> None:
        self._offer = Seal(self._link).offer(offer)
        self._show(str(OfferCode(self._link, self._offer)))

    async def answer(self) -> bytes:
        answer = AnswerCode.parse(await self._given())
        return Seal(self._link).open_answer(answer.sealed, self._offer)

    async def enter(self) -> bytes:
        code = OfferCode.parse(await self._given())
        self._link, self._offer = code.link, code.sealed
        return Seal(self._link).open_offer(code.sealed)

    async def reply(self, answer: bytes) -> None:
        sealed = Seal(self._link).answer(answer, self._offer)
        self._show(str(AnswerCode(sealed)))


def _add(totals: Totals, connection: Connection) -> None:
    for name in ("sent_bytes", "sent", "received_bytes", "received", "dropped"):
        setattr(totals, name, getattr(totals, name) + getattr(connection.traffic, name))


def _is_here(address: str | None) -> bool:
    """Whether this machine still has an address."""
    import ifaddr

    if address is None:
        return True
    here = {
        ip.ip if isinstance(ip.ip, str) else ip.ip[0] for a in ifaddr.get_adapters() for ip in a.ips
    }
    return address in here
