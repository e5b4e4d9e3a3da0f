"""A WebRTC peer that knows facewire from docs/calling.md alone: SDP in, and it is connected.

The peer here is aiortc's RTCPeerConnection, which takes the same SDP as a browser.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from facewire.call.line.transport import Connection, certificate, fingerprint
from facewire.call.meeting.description import Candidate, Description

aiortc = pytest.importorskip("aiortc")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "calling.md"


def template() -> str:
    """The SDP of docs/calling.md, with the names that stand for a description's values."""
    found = re.search(r"```sdp\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    assert found is not None
    return found[1]


def sdp(side: Description, setup: str) -> str:
    """The SDP that a page makes of a description."""
    kinds = {"host": "host", "srflx": "srflx raddr 0.0.0.0 rport 9"}
    kinds["relay"] = "relay raddr 0.0.0.0 rport 9"
    candidates = [
        f"a=candidate:{number} 1 udp {c.priority} {c.address} {c.port} typ {kinds[c.kind]}"
        for number, c in enumerate(side.candidates)
    ]
    values = {
        "USER": side.user,
        "PASSWORD": side.password,
        "FINGERPRINT": ":".join(f"{byte:02X}" for byte in side.fingerprint),
        "SETUP": setup,
        "CANDIDATES": "\n".join([*candidates, "a=end-of-candidates"]),
    }
    text = template()
    for name, value in values.items():
        text = text.replace(name, value)
    return text.replace("\n", "\r\n")


def read(text: str) -> Description:
    """The description that a page makes of its own SDP."""

    def value(name: str) -> str:
        found = re.search(rf"^a={name}:(\S+(?: \S+)?)", text, re.M)
        assert found is not None, name
        return found[1]

    rows = dict.fromkeys(
        re.findall(r"^a=candidate:\S+ 1 udp (\d+) (\S+) (\d+) typ (\w+)", text, re.M)
    )
    prints = re.search(r"^a=fingerprint:sha-256 (\S+)", text, re.M)
    assert prints is not None
    return Description(
        value("ice-ufrag"),
        value("ice-pwd"),
        bytes.fromhex(prints[1].replace(":", "")),
        tuple(Candidate(kind, at, int(port), int(first)) for first, at, port, kind in rows),
        bytes(16),
    )


class Silence(aiortc.AudioStreamTrack):
    """20 ms of silence each time: what a page's microphone is before the transform."""


def test_a_page_joins() -> None:
    """It takes the maker's description, answers with its own, and both channels work."""

    async def body() -> None:
        datagrams: list[bytes] = []
        messages: list[bytes] = []
        own = certificate()
        side = Connection(
            maker=True,
            own=own,
            on_datagram=datagrams.append,
            on_message=messages.append,
            on_end=lambda left: None,
        )
        page = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        came: list[bytes] = []
        try:
            candidates = await side.gather()
            ours = Description(side.user, side.password, fingerprint(own), candidates, bytes(32))
            ours = Description.parse(bytes(ours))  # as it travels
            channel: Any = page.createDataChannel("x", ordered=False, negotiated=True, id=0)
            channel.on("message", came.append)
            page.addTrack(Silence())
            await page.setRemoteDescription(
                aiortc.RTCSessionDescription(sdp(ours, "actpass"), "offer")
            )
            await page.setLocalDescription(await page.createAnswer())
            theirs = Description.parse(bytes(read(page.localDescription.sdp)))
            await side.connect(
                theirs.user, theirs.password, theirs.fingerprint, theirs.candidates, 30.0
            )
            side.send_reliably(b"Nonce")
            async with asyncio.timeout(30):
                while channel.readyState != "open":
                    await asyncio.sleep(0.02)
                channel.send(b"D")
                while not (came and messages and datagrams):
                    await asyncio.sleep(0.02)
            assert came == [b"Nonce"]
            assert messages == [b"D"]
            assert side.traffic.dropped == 0  # its RTP has a payload type of ours
        finally:
            await page.close()
            await side.close()

    asyncio.run(body())
