"""Two lines in one process, over loopback and a real rendezvous server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from facewire.call.line import line as line_module
from facewire.call.line.entrance import Entrance
from facewire.call.line.line import Line, LineState
from facewire.call.line.traffic import Traffic
from facewire.call.meeting.client import Meeting
from facewire.call.meeting.codes import AnswerCode
from facewire.call.meeting.link import Link
from facewire.call.meeting.rendezvous import Rendezvous
from facewire.codec.errors import CallError, LinkError, PeerError, RoomError

pytest.importorskip("aiortc")


class Side:
    """A line, and what it said."""

    def __init__(self, link: Link | None, *, maker: bool, refuse: bool = False) -> None:
        self.states: list[LineState] = []
        self.datagrams: list[bytes] = []
        self.abilities: list[bytes] = []
        self.codes: list[str] = []
        self._refuse = refuse
        self.line = Line(
            link,
            maker=maker,
            abilities=b"maker" if maker else b"guest",
            on_state=lambda state, sentence: self.states.append(state),
            on_datagram=self.datagrams.append,
            on_abilities=self._able,
            on_code=self.codes.append,
        )
        self.task = asyncio.ensure_future(self.line.run())

    def _able(self, abilities: bytes, ends: bytes) -> None:
        self.abilities.append(abilities)
        self.ends = ends
        if self._refuse:
            raise PeerError("it does not fit")

    async def end(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError, CallError):
            await self.task


async def until(what: Callable[[], object], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not what():
            await asyncio.sleep(0.02)


def run(test: Callable[[Link], Awaitable[None]]) -> None:
    async def body() -> None:
        async with Rendezvous() as server:
            await test(Link.make(f"http://127.0.0.1:{server.port}"))

    asyncio.run(body())


async def connected(link: Link) -> tuple[Side, Side]:
    one = Side(link, maker=True)
    await until(lambda: LineState.WAITING in one.states)
    other = Side(link, maker=False)
    for side in (one, other):
        await until(lambda side=side: side.line.words or side.task.done())
        if side.task.done():
            side.task.result()
    await until(lambda: LineState.CONNECTED in one.states and LineState.CONNECTED in other.states)
    return one, other


async def exchange(one: Side, other: Side, text: bytes) -> None:
    one.line.send(text)
    other.line.send(text)
    await until(lambda: text in one.datagrams and text in other.datagrams)


def test_a_call() -> None:
    async def test(link: Link) -> None:
        one, other = await connected(link)
        assert len(one.line.words) == 4
        assert one.line.words == other.line.words
        assert (one.abilities, other.abilities) == ([b"guest"], [b"maker"])
        await exchange(one, other, b"hello")
        parts = [b"first" * 400, b"", b"picture"]
        one.line.send_reliably(parts)
        await until(lambda: b"picture" in other.datagrams)
        assert other.datagrams[-3:] == parts  # whole, in order, once
        totals = one.line.totals()
        assert totals.connections == 1
        assert totals.sent_bytes > 1000
        await one.end()
        await asyncio.wait_for(other.task, 10)  # ends by itself, without an error
        assert other.states[-1] == LineState.ENDED

    run(test)


def test_words_differ_from_call_to_call() -> None:
    async def test(link: Link) -> None:
        words = []
        for number in (1, 2):
            one, other = await connected(link.again(number))
            words.append(one.line.words)
            await one.end()
            await other.end()
        assert words[0] != words[1]

    run(test)


@pytest.mark.slow
def test_the_line_is_lost_and_made_anew() -> None:
    """As after a change of network: one side's sockets are gone, then the other side is quiet."""

    async def test(link: Link) -> None:
        one, other = await connected(link)
        words = one.line.words
        for number, side in enumerate((one, other)):
            assert side.line._connection is not None
            await side.line._connection._ice._connection.close()
            await until(lambda n=number: one.line.totals().connections == n + 2)
            await until(lambda n=number: other.line.totals().connections == n + 2)
            await exchange(one, other, b"again %d" % number)
        assert LineState.LOST in one.states
        assert one.line.words == other.line.words == words
        assert one.abilities == [b"guest"]  # told once
        await other.end()
        await asyncio.wait_for(one.task, 10)

    run(test)


class FakePath:
    """A connection of which something was heard at some time."""

    def __init__(self, heard: float) -> None:
        self.traffic = Traffic(heard=heard)
        self.closed = False

    def local_address(self) -> str:
        return "127.0.0.1"

    async def close(self, *, tell: bool = True) -> None:
        self.closed = True


def test_each_loss_of_the_line_has_five_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """In virtual time: a line that was lost and made anew may be lost again an hour later."""

    async def test() -> None:
        states: list[LineState] = []
        line = Line(
            Link.make("http://127.0.0.1:1"),
            maker=True,
            abilities=b"",
            on_state=lambda state, sentence: states.append(state),
            on_datagram=lambda data: None,
            on_abilities=lambda abilities, ends: None,
        )
        paths = [FakePath(heard=now) for now in (0.0, 20.0, 3600.0)]
        made = iter(paths[1:])

        async def meet_again() -> FakePath:
            return next(made)

        monkeypatch.setattr(line, "_meet_again", meet_again)
        line._use(paths[0])  # type: ignore[arg-type]
        for now in (10.0, 20.0, 3590.0, 3600.0):  # lost, made anew, lost, made anew
            await line._look(now)
            await asyncio.sleep(0)
        assert states == [LineState.CONNECTED, LineState.QUIET] * 2 + [LineState.CONNECTED]
        assert [path.closed for path in paths] == [True, True, False]
        monkeypatch.setattr(line, "_meet_again", asyncio.Event().wait)
        await line._look(3610.0)
        await line._look(3900.0)
        with pytest.raises(CallError, match="five minutes"):
            await line._look(3911.0)
        assert line._anew is not None
        line._anew.cancel()

    asyncio.run(test())


def test_a_quiet_line_that_comes_back_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(link: Link) -> None:
        one, other = await connected(link)
        for side in (one, other):  # a new path would be there first on a slow computer
            monkeypatch.setattr(side.line, "_meet_again", asyncio.Event().wait)
        with monkeypatch.context() as dead:
            dead.setattr(Entrance, "lets_in", lambda *_: False)
            await until(lambda: one.line.state == other.line.state == LineState.QUIET)
        await exchange(one, other, b"back")
        await until(lambda: one.line.state == other.line.state == LineState.CONNECTED)
        for side in (one, other):
            assert side.states[-3:] == [LineState.CONNECTED, LineState.QUIET, LineState.CONNECTED]
            assert side.line.totals().connections == 1  # the old path, and no other
        await one.end()
        await other.end()

    run(test)


def test_an_address_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(link: Link) -> None:
        one, other = await connected(link)
        gone = iter([False])
        monkeypatch.setattr(line_module, "_is_here", lambda address: next(gone, True))
        words, both = one.line.words, (one, other)
        await until(lambda: one.line.totals().connections + other.line.totals().connections == 4)
        await exchange(one, other, b"elsewhere")
        assert [side.line.totals().connections for side in both] == [2, 2]
        assert sum(LineState.LOST in side.states for side in both) >= 1  # who asked first
        assert [side.states[-1] for side in both] == [LineState.CONNECTED] * 2
        assert one.line.words == other.line.words == words
        await one.end()
        await other.end()

    run(test)


def test_somebody_else_with_the_link_cannot_take_over() -> None:
    async def test(link: Link) -> None:
        one, other = await connected(link)
        await other.line._connection.close(tell=False)  # type: ignore[union-attr]
        other.task.cancel()
        await until(lambda: one.line.state in (LineState.LOST, LineState.QUIET))
        await asyncio.sleep(0.5)  # the room to meet again is open
        stranger = Side(link.again(1), maker=False)
        with pytest.raises(PeerError, match="somebody else"):
            await asyncio.wait_for(one.task, 20)
        await stranger.end()

    run(test)


def test_sides_that_do_not_fit() -> None:
    async def test(link: Link) -> None:
        one = Side(link, maker=True)
        await asyncio.sleep(0.3)
        other = Side(link, maker=False, refuse=True)
        with pytest.raises(PeerError, match="fit"):
            await other.task
        await one.end()

    run(test)


def test_a_third_guest() -> None:
    async def test(link: Link) -> None:
        one, other = await connected(link)
        third = Side(link, maker=False)
        with pytest.raises(RoomError, match="used"):
            await third.task
        await exchange(one, other, b"undisturbed")
        await one.end()
        await other.end()

    run(test)


def test_the_guest_goes_away_before_it_answers() -> None:
    """The maker waits on; ending the wait closes the room."""

    async def test(link: Link) -> None:
        one = Side(link, maker=True)
        await asyncio.sleep(0.3)
        async with Meeting(link) as guest:
            await guest.enter()
        await asyncio.sleep(0.2)
        assert not one.task.done()
        await one.end()

    run(test)


def test_an_answer_that_is_none() -> None:
    async def test(link: Link) -> None:
        one = Side(link, maker=True)
        await asyncio.sleep(0.3)
        async with Meeting(link) as guest:
            await guest.enter()
            await guest.reply(b"garbage")
        with pytest.raises(PeerError):
            await one.task

    run(test)


def test_a_server_that_gives_ones_own_message_back() -> None:
    async def test(link: Link) -> None:
        one = Side(link, maker=True)
        await asyncio.sleep(0.3)
        async with Meeting(link) as guest:
            offer = await guest.enter()
            await guest.reply(offer)
        with pytest.raises(PeerError):
            await one.task

    run(test)


def test_without_a_server() -> None:
    async def body() -> None:
        one, other = Side(None, maker=True), Side(None, maker=False)
        await until(lambda: one.codes)
        other.line.give_code(one.codes[0])
        await until(lambda: other.codes)
        one.line.give_code(other.codes[0])
        await until(lambda: one.line.words and other.line.words)
        assert one.line.words == other.line.words
        assert len(one.codes[0]) < 900
        await exchange(one, other, b"hello")
        await other.end()
        await asyncio.wait_for(one.task, 10)

    asyncio.run(body())


@pytest.mark.parametrize("code", ["nonsense", str(AnswerCode(b"x" * 40))])
def test_wrong_codes(code: str) -> None:
    async def body() -> None:
        one = Side(None, maker=True)
        await until(lambda: one.codes)
        one.line.give_code(code)
        with pytest.raises((LinkError, CallError)):
            await one.task

    asyncio.run(body())


def test_no_server() -> None:
    async def body() -> None:
        side = Side(Link.make("http://127.0.0.1:9"), maker=True)
        with pytest.raises(CallError, match="no server answers"):
            await side.task

    asyncio.run(body())


def test_a_wrong_commitment_ends_the_call() -> None:
    async def test(link: Link) -> None:
        one, other = await connected(link)
        one.line._connection.send_reliably(b"N" + bytes(16))  # type: ignore[union-attr]
        with pytest.raises(PeerError, match="stands between"):
            await asyncio.wait_for(other.task, 10)
        await one.end()

    run(test)
