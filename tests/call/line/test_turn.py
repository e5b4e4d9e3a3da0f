"""A TURN server with a name and a password from the environment; a real one, where coturn is."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from facewire.call.line.transport import Connection, certificate, fingerprint
from facewire.call.meeting.description import Candidate
from facewire.cli.call_settings import line_settings
from facewire.codec.errors import ConfigError

pytest.importorskip("aiortc")

TURNSERVER = shutil.which("turnserver")
USER, PASSWORD = "FACEWIRE_TURN_USER", "FACEWIRE_TURN_PASSWORD"


def servers(*urls: str) -> Sequence[Any]:
    """What `facewire call --ice-server URL ...` makes of them."""
    args = argparse.Namespace(
        ice_server=list(urls), server=None, link=None, copy_paste=False, host=None, port=0
    )
    return line_settings(args).servers


def test_name_and_password_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(USER, "alice")
    monkeypatch.setenv(PASSWORD, "secret")
    stun, turn = servers("stun:192.0.2.1", "turn:192.0.2.1:3479")
    assert (stun.urls, stun.username, stun.credential) == ("stun:192.0.2.1", None, None)
    assert (turn.username, turn.credential) == ("alice", "secret")


@pytest.mark.parametrize("missing", [USER, PASSWORD])
def test_half_of_them_is_not_enough(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv(USER, "alice")
    monkeypatch.setenv(PASSWORD, "secret")
    monkeypatch.delenv(missing)
    with pytest.raises(ConfigError, match=missing):
        servers("turn:192.0.2.1")


@pytest.fixture
def turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a coturn on loopback that knows alice."""
    if TURNSERVER is None:
        pytest.skip("coturn is not here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "conf").write_text(
        f"listening-port={port}\nlistening-ip=127.0.0.1\nrelay-ip=127.0.0.1\nlt-cred-mech\n"
        "user=alice:secret\nrealm=call.example\nno-tls\nno-dtls\nno-cli\nallow-loopback-peers\n"
        f"pidfile={tmp_path}/pid\nlog-file={tmp_path}/log\nsimple-log\ndb={tmp_path}/db\n"
    )
    with (tmp_path / "out").open("wb") as out:
        server = subprocess.Popen(
            [TURNSERVER, "-c", str(tmp_path / "conf")], stdout=out, stderr=out
        )
    try:
        ends = time.monotonic() + 20
        while True:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (tmp_path / "out").read_text()
            assert time.monotonic() < ends
            time.sleep(0.05)
        monkeypatch.setenv(USER, "alice")
        monkeypatch.setenv(PASSWORD, "secret")
        yield f"turn:127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


class End:
    """A connection that tells the other side of its relay alone."""

    def __init__(self, maker: bool, url: str) -> None:
        self.came: list[bytes] = []
        self.certificate = certificate()
        self.connection = Connection(
            maker=maker,
            own=self.certificate,
            servers=servers(url),
            on_datagram=self.came.append,
            on_message=self.came.append,
            on_end=lambda left: None,
        )

    async def relays(self) -> list[Candidate]:
        return [one for one in await self.connection.gather() if one.kind == "relay"]

    async def connect(self, other: End, relays: Sequence[Candidate]) -> None:
        user, password = other.connection.user, other.connection.password
        print_ = fingerprint(other.certificate)
        await self.connection.connect(user, password, print_, relays, 30.0)


def test_a_call_through_a_relay(turn: str, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        one, other = End(True, turn), End(False, turn)
        try:
            first, second = await one.relays(), await other.relays()
            assert first
            assert second
            assert "TURN" not in caplog.text
            await asyncio.gather(one.connect(other, second), other.connect(one, first))
            one.connection.send(b"datagram")
            other.connection.send_reliably(b"message")
            async with asyncio.timeout(20):
                while not (one.came and other.came):
                    await asyncio.sleep(0.02)
            assert (one.came, other.came) == ([b"message"], [b"datagram"])
        finally:
            await one.connection.close()
            await other.connection.close()

    asyncio.run(body())


def test_a_stun_server(turn: str) -> None:
    """Its answers are not proven to be anybody's; they are taken all the same."""

    async def body() -> None:
        side = End(True, turn.replace("turn:", "stun:"))
        try:
            assert "srflx" in {one.kind for one in await side.connection.gather()}
            assert side.connection.traffic.dropped == 0
            assert side.connection.traffic.heard == 0.0
        finally:
            await side.connection.close()

    asyncio.run(body())


def test_a_wrong_password(
    turn: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server gives no relay, which is said; the other addresses are still there."""
    monkeypatch.setenv(PASSWORD, "wrong")

    async def body() -> None:
        side = End(True, turn)
        try:
            found = await side.connection.gather()
            assert {one.kind for one in found} == {"host"}
            assert "TURN server gives no address" in caplog.text
        finally:
            await side.connection.close()

    asyncio.run(body())
