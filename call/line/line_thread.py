"""`LineThread`: a line in a thread of its own, because media must not wait for the network.

Datagrams, states and codes are handed over in bounded queues.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..meeting.link import Link
from ..meeting.rendezvous import Rendezvous
from .line import Line, LineState, Totals

if TYPE_CHECKING:
    from aiortc import RTCIceServer

__all__ = ["LineSettings", "LineThread", "own_address"]

_MOST = 2000  # datagrams that wait for the media's thread
_CLOSE_S = 8.0


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Where and how the two sides meet.

    Attributes:
        link: the link to join; None makes a room, or a call without a server.
        server: address of a rendezvous server on which a room is made; None runs one here.
        host: address of this machine for the link, if the server runs here; None finds one.
        port: the port on which that server listens; 0 takes a free one.
        codes: use no server at all, but two codes.
        code: with `codes`, the code that the other side sent first; "" if this side begins.
        servers: ICE servers.
    """

    link: Link | None = None
    server: str | None = None
    host: str | None = None
    port: int = 0
    codes: bool = False
    code: str = ""
    servers: Sequence[RTCIceServer] = ()

    @property
    def maker(self) -> bool:
        """Whether this side makes the room."""
        return self.link is None and not self.code


class LineThread:
    """Runs a `Line`. Its methods may be called from any one thread.

    Args:
        settings: see `LineSettings`.
        abilities: what this side can run.
        check: called with what the other side can run and what stands for both ends, in the
            line's thread. An error that it raises ends the call.
        on_code: called with a code that must be sent to the other side, in the line's thread.

    Attributes:
        state: see `LineState`.
        error: why the line ended; None while it runs, and if the other side left.
        link: for the other side, once the room is there.
    """

    def __init__(
        self,
        settings: LineSettings,
        *,
        abilities: bytes,
        check: Callable[[bytes, bytes], None],
        on_code: Callable[[str], None] = lambda code: None,
    ) -> None:
        self._settings, self._abilities, self._check = settings, abilities, check
        self._on_code = on_code
        self.state = LineState.WAITING if settings.maker else LineState.CONNECTING
        self.error: BaseException | None = None
        self.link: Link | None = settings.link
        self._line: Line | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._came: deque[bytes] = deque(maxlen=_MOST)
        self._news = threading.Event()
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="facewire-line", daemon=True)

    def start(self) -> None:
        """Begin. Returns when the room is open, or when the guest begins to join.

        Raises:
            CallError, ConfigError, MissingExtraError: it cannot begin.
        """
        self._thread.start()
        self._ready.result()

    @property
    def words(self) -> tuple[str, ...]:
        """The words to compare; () before they are known."""
        return self._line.words if self._line is not None else ()

    def totals(self) -> Totals:
        """Bytes and packets so far."""
        return self._line.totals() if self._line is not None else Totals()

    def receive(self) -> list[bytes]:
        """Datagrams that came since the last call."""
        self._news.clear()
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._came.popleft())
        return found

    def send(self, datagrams: Sequence[bytes], *, reliably: bool = False) -> None:
        """Send datagrams; with `reliably`, all in one message."""
        line = self._line
        if not datagrams or line is None:
            return

        def send() -> None:
            if reliably:
                line.send_reliably(datagrams)
            else:
                for data in datagrams:
                    line.send(data)

        self._call(send)

    def wait(self, seconds: float) -> None:
        """Wait until something has come, but at most so many seconds."""
        self._news.wait(max(0.0, seconds))

    def give_code(self, code: str) -> None:
        """Take the code that the other side sent."""
        line = self._line
        if line is not None:
            self._call(lambda: line.give_code(code))

    def close(self) -> None:
        """Tell the other side that this side leaves, and close everything. May be called twice."""
        if self._task is not None:
            task = self._task
            self._call(lambda: task.cancel())
        if self._thread.is_alive():
            self._thread.join(_CLOSE_S)

    def _call(self, action: Callable[[], object]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            with contextlib.suppress(RuntimeError):  # it closed at this moment
                loop.call_soon_threadsafe(action)

    # -- the line's thread

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except (asyncio.CancelledError, KeyboardInterrupt):
            pass
        except BaseException as error:  # told to the thread that owns this
            self.error = error
        finally:
            self.state = LineState.ENDED
            if not self._ready.done():
                if self.error is not None:
                    self._ready.set_exception(self.error)
                else:
                    self._ready.set_result(None)
            self._news.set()

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        settings = self._settings
        async with contextlib.AsyncExitStack() as stack:
            link = settings.link
            if settings.maker and not settings.codes:
                server = settings.server
                if server is None:
                    own = Rendezvous("0.0.0.0", settings.port)
                    await stack.enter_async_context(own)
                    server = f"http://{settings.host or own_address()}:{own.port}"
                link = Link.make(server)
            self._line = Line(
                link,
                maker=settings.maker,
                abilities=self._abilities,
                servers=settings.servers,
                on_state=self._told,
                on_datagram=self._datagram,
                on_abilities=self._check,
                on_code=self._on_code,
            )
            self.link = link
            if not settings.maker:
                self._ready.set_result(None)
            if settings.code:
                self._line.give_code(settings.code)
            await self._line.run()

    def _told(self, state: LineState, sentence: str) -> None:
        self.state = state
        if not self._ready.done():
            self._ready.set_result(None)
        self._news.set()

    def _datagram(self, datagram: bytes) -> None:
        self._came.append(datagram)
        self._news.set()


def own_address() -> str:
    """The address under which others in this network reach this machine, as far as it knows.

    Nothing is sent to find it out. Without a network it is 127.0.0.1.
    """
    import ifaddr

    found = [
        ip.ip
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str) and not ip.ip.startswith(("127.", "169.254."))
    ]
    virtual = [
        ip.ip
        for adapter in ifaddr.get_adapters()
        if str(adapter.name).startswith(("docker", "br-", "veth", "virbr"))
        for ip in adapter.ips
    ]
    return next((ip for ip in found if ip not in virtual), found[0] if found else "127.0.0.1")
