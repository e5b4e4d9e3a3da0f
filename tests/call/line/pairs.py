"""Two connections in one process over loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from facewire.call.line.transport import Connection, certificate, fingerprint
from facewire.call.pack import Datagram
from facewire.codec.packet import Flags, Kind, Packet


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
