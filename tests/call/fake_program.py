"""`facewire` as a program, with the small session of `fake_party.py` in place of the real one.

Variables of the environment change what it does:

    FACEWIRE_TEST_BEGUN   a file that it writes as soon as it runs: Ctrl-C before that is Python's
                          own affair
    FACEWIRE_TEST_REAL    the session is the real one
    FACEWIRE_TEST_BLIND   no window is opened, where one would be
    FACEWIRE_TEST_CLOCK   at SIGUSR1, the clock is set to an hour too early, at SIGUSR2 too late
    FACEWIRE_TEST_FLOOD   from SIGUSR1 to SIGUSR2, 10 Mbit/s are sent to the other side
"""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

from facewire.cli.program import program


def run() -> int:
    begun = os.environ.get("FACEWIRE_TEST_BEGUN")
    if begun:
        Path(begun).touch()
    import facewire.cli.call as command
    from facewire.cli.main import main

    from .fake_party import make

    if "FACEWIRE_TEST_REAL" not in os.environ:
        command.make_session = make
    if "FACEWIRE_TEST_BLIND" in os.environ:
        command._window = lambda stack: None  # type: ignore[assignment,return-value]
    if "FACEWIRE_TEST_CLOCK" in os.environ:
        _obey_clock()
    if "FACEWIRE_TEST_FLOOD" in os.environ:
        _obey_flood()
    return main()


def _obey_clock() -> None:
    real, ahead = time.time, [0.0]
    time.time = lambda: real() + ahead[0]

    def set_clock(number: int, _: Any) -> None:
        ahead[0] = 3600.0 if number == signal.SIGUSR2 else -3600.0

    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, set_clock)


def _obey_flood() -> None:
    """Half of it are datagrams of another session, the other half are none."""
    from facewire.call.line.transport import Connection

    flows = [False]
    rubbish = struct.pack("!BBHII", 0x80, 97, 0, 0, 99) + os.urandom(1200)
    foreign = struct.pack("!BBHII", 0x80, 96, 0, 0, 0x77770000) + os.urandom(1200)
    connect = Connection.connect

    async def flood(connection: Connection) -> None:
        number, sent = 0, 0.0
        while not connection._closed:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            sent += (time.monotonic() - began) * 10e6 / 8 if flows[0] else -sent
            while sent > 1250:
                sent -= 1250
                number = (number + 1) % 65536
                packet = (rubbish, foreign)[number % 2]
                packet = packet[:2] + number.to_bytes(2, "big") + packet[4:]
                await connection._dtls._send_rtp(packet)

    async def connect_and_flood(self: Connection, *words: Any) -> None:
        await connect(self, *words)
        self._test = asyncio.ensure_future(flood(self))  # type: ignore[attr-defined]

    Connection.connect = connect_and_flood  # type: ignore[method-assign]

    def obey(number: int, _: Any) -> None:
        flows[0] = number == signal.SIGUSR1

    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, obey)


if __name__ == "__main__":
    sys.exit(program("facewire", run))
