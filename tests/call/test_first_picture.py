"""The first picture over two real lines of which a part of the packets is lost.

Run as a program, it measures over the network in the computer how long the first picture takes from
the connection on, with the first keyframe in datagrams and in a reliable channel:

    python -m tests.call.test_first_picture [RUNS [LOSS]]
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.call.config import CallConfig
from facewire.call.line import entrance, transport
from facewire.call.line.line import Line, LineState
from facewire.call.meeting.link import Link
from facewire.call.meeting.rendezvous import Rendezvous
from facewire.call.pack import Datagram
from facewire.call.session import CallSession
from facewire.call.signing import PublicKey, SigningKey
from facewire.call.simulated import LineConditions
from facewire.codec.keyframe import fragment_of
from facewire.codec.packet import Kind
from facewire.receiver.decoder import Decoder
from facewire.sender.encoder import Encoder
from tests.conftest import blank_network

from .sides import DELAY, RATE, Call, NoGenerator, SwayingFace, picture, voice
from .test_session import keyframes, recorded

pytest.importorskip("aiortc")

_DELAY_S = 0.05
_LONGEST_S = 15.0  # that is measured
_APPLICATION, _MEDIA = 0x17, 0x80  # first bytes of DTLS's application data, and of RTP


@contextmanager
def lossy(share: float, seed: int) -> Iterator[None]:
    """Every packet of media and of the reliable channel is 50 ms late, or lost. What ICE and DTLS
    need to connect is left alone.
    """
    rng, counted = random.Random(seed), entrance._Counted
    send = counted.sendto

    def leave(inner: Any, data: bytes, address: Any) -> None:
        if not inner.is_closing():
            send(inner, data, address)

    def late(self: Any, data: bytes, address: Any = None) -> None:
        mine = data[0] == _APPLICATION or data[0] & 0xC0 == _MEDIA
        if not mine or rng.random() >= share:
            asyncio.get_running_loop().call_later(_DELAY_S, leave, self, data, address)

    counted.sendto = late  # type: ignore[method-assign]
    try:
        yield
    finally:
        counted.sendto = send  # type: ignore[method-assign]


@dataclass
class End:
    """One side: a session without networks, on a line.

    Attributes:
        first: seconds from the connection to the first picture.
        parts: how often each part of a keyframe was sent, by the keyframe's CRC-32 and its index.
        crcs: those of the keyframes, in their order.
    """

    link: Link
    card: Path
    maker: bool
    reliable: bool
    connected: float | None = None
    first: float | None = None
    sent: int = 0
    samples: int = 0
    next_frame: float = 0.0
    parts: Counter[tuple[int, int]] = field(default_factory=Counter)
    reliably: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.key, self.peer, self.ends = SigningKey(), b"", b""
        self.session: CallSession | None = None
        self.line = Line(
            self.link,
            maker=self.maker,
            abilities=self.key.public,
            on_state=self._state,
            on_datagram=self._came,
            on_abilities=self._able,
        )
        self.task = asyncio.ensure_future(self.line.run())

    def _able(self, key: bytes, ends: bytes) -> None:
        self.peer, self.ends = key, ends

    def _state(self, state: LineState, sentence: str) -> None:
        if state is LineState.CONNECTED and self.session is None:
            now = self.connected = time.monotonic()
            config = CallConfig(reliable=self.reliable)
            coding = replace(config.encoder, model=str(self.card), crop=False)
            encoder = Encoder(coding, fps=config.fps, tracker=SwayingFace())
            decoder = Decoder(config.decoder, generator=NoGenerator())
            self.session = CallSession(config, now=now, encoder=encoder, decoder=decoder)
            self.session.bind(self.key, PublicKey(self.peer), self.ends)

    def _came(self, datagram: bytes) -> None:
        if self.session is not None:
            self.session.receive(datagram, time.monotonic())

    def turn(self, frame: Any) -> None:
        """What a person's devices did since the last turn: sound without a gap, 25 pictures a
        second.
        """
        session, now = self.session, time.monotonic()
        if session is None or self.connected is None:
            return
        samples = round((now - self.connected) * RATE)
        count, self.samples = samples - self.samples, samples
        session.hear(voice(samples - count, count), now)
        if now >= self.next_frame:
            self.next_frame = now + 0.04
            session.see(frame, now)
        datagrams = session.send(now)
        reliable = session.reliably()
        self._note(reliable, reliably=True)
        self._note(datagrams)
        if reliable:
            self.line.send_reliably(reliable)
        for datagram in datagrams:
            self.line.send(datagram)
        session.sound(count, now)
        if session.picture(now) is not None and self.first is None:
            self.first = now - self.connected
            self.sent = self.line.totals().sent_bytes

    def _note(self, datagrams: Sequence[bytes], *, reliably: bool = False) -> None:
        for datagram in datagrams:
            for packet in Datagram.parse(datagram).packets:
                if packet.kind is Kind.KEYFRAME:
                    index, _, crc = fragment_of(packet)
                    self.parts[crc, index] += 1
                    self.reliably |= {crc} if reliably else set()

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        if self.session is not None:
            self.session.close()


def meet(card: Path, *, reliable: bool, loss: float, seed: int) -> tuple[End, End]:
    """Two sides that talk until both have seen each other."""

    async def body() -> tuple[End, End]:
        async with Rendezvous() as server:
            link = Link.make(f"http://127.0.0.1:{server.port}")
            one = End(link, card, True, reliable)
            while one.line.state is not LineState.WAITING:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            other = End(link, card, False, reliable)
            both, frame = (one, other), picture()
            async with asyncio.timeout(300):
                while any(side.first is None for side in both):
                    for side in both:
                        if side.task.done():
                            side.task.result()
                        side.turn(frame)
                    await asyncio.sleep(0.02)
            await one.end()
            await other.end()
            return one, other

    with lossy(loss, seed):
        return asyncio.run(body())


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_the_first_keyframe_goes_by_the_reliable_channel_and_only_once(
    card: Path, loss: float
) -> None:
    for side in meet(card, reliable=True, loss=loss, seed=4):
        assert len(side.reliably) == 1  # one keyframe
        first = next(iter(side.reliably))
        assert next(iter(side.parts))[0] == first  # and that was the first
        sendings = {count for (crc, _), count in side.parts.items() if crc == first}
        assert sendings == {1}  # each part once: the channel cares for what was lost
        assert side.session is not None
        assert side.session.statistics.unproven == 0


def test_without_a_reliable_channel_everything_goes_in_datagrams(card: Path) -> None:
    for side in meet(card, reliable=False, loss=0.0, seed=4):
        assert side.reliably == set()
        assert side.parts


def channel(rng: random.Random, loss: float, first: float, later: float) -> float:
    """Seconds that the first message of a reliable channel takes, from the connection on: the two
    round trips of SCTP's handshake, then its two packets. What is lost is sent again after `first`
    seconds in the handshake, and after `later` beyond it.
    """
    seconds = 0.0
    for _ in range(2):
        while rng.random() > (1 - loss) ** 2:
            seconds += first
        seconds += 2 * DELAY
    tries = [0, 0]
    for packet in range(2):
        while rng.random() < loss:
            tries[packet] += 1
    return seconds + max(tries) * later + DELAY


def measure(runs: int, loss: float) -> None:
    """In virtual time, so that other work on the machine changes nothing."""
    card = blank_network(Path(tempfile.mkdtemp()))
    ways = {
        "in datagrams": None,
        "in the reliable channel": (transport._FIRST_AGAIN_S, 0.5),
        "the same with SCTP's own patience": (3.0, 1.0),
    }
    for name, patience in ways.items():
        times, again, frames = [], 0, 0
        for seed in range(runs):
            config, lost = CallConfig(reliable=patience is not None), LineConditions(loss=loss)
            call, rng = Call(card, config, lost, lost, seed=2 * seed), random.Random(seed)
            sent = recorded(call.a)
            if patience is not None:
                call.a.channel = channel(rng, loss, *patience)
                call.b.channel = channel(rng, loss, *patience)
            while not (call.a.shown and call.b.shown) and call.world.now < _LONGEST_S:
                call.run(0.1)
            times += [side.shown[0].at if side.shown else _LONGEST_S for side in (call.a, call.b)]
            parts = keyframes([*sent, *(data for one in call.a.messages for data in one)])
            again += sum(parts.values()) - len(parts)
            frames += len({crc for crc, _ in parts})
        print(
            f"{100 * loss:.0f} % lost, first keyframe {name}: first picture after "
            f"{np.median(times):.2f} s (median), {np.percentile(times, 90):.2f} (90 %), "
            f"{max(times):.2f} (longest of {len(times)}); {frames / runs:.1f} keyframes until "
            f"then, {again / runs:.1f} parts sent again",
            flush=True,
        )


if __name__ == "__main__":
    words = [*sys.argv[1:], "10", "0.2"][:2] if len(sys.argv) < 3 else sys.argv[1:3]
    measure(int(words[0]), float(words[1]))
