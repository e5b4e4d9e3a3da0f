"""Network namespaces with a relay between them, and `facewire call` in each. Linux, as root.

    namespace a ── cable ── relay ── cable ── namespace b

The relay carries every packet, and loses, delays and queues it as
`facewire.call.simulated.SimulatedLine` does. It counts the bytes of IP that each side sends by UDP.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from facewire.call.simulated import LineConditions, SimulatedLine, World

IP = shutil.which("ip") or "ip"
ETHERNET = 14
"""Bytes of a frame's head, which IP does not count."""
_UDP = 17
_UDP_HEAD = 8
_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_OFFLOADS = 0x17, 0x1F, 0x24, 0x2C  # checksums, TSO, GSO, GRO: packets as they are on a wire


@contextlib.contextmanager
def inside(space: str) -> Iterator[None]:
    """This thread is in a network namespace meanwhile."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (
        Path("/proc/thread-self/ns/net").open() as own,
        Path(f"/run/netns/{space}").open() as other,
    ):
        if libc.setns(other.fileno(), _NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(own.fileno(), _NEWNET)


def as_on_a_wire(device: str) -> None:
    """The device computes checksums and sends no packet that is larger than the line's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        for command in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP", device.encode(), ctypes.addressof(value))
            with contextlib.suppress(OSError):
                fcntl.ioctl(handle, _SIOCETHTOOL, request)


def ip(*words: str) -> None:
    subprocess.run([IP, *words], check=True)


@contextlib.contextmanager
def network() -> Iterator[tuple[str, str, str]]:
    """Namespaces of both sides (10.78.0.1 and 10.78.0.2), and the relay's with a cable to each."""
    one, two, middle = spaces = tuple(f"fw{name}{os.getpid()}" for name in "abm")
    made: list[str] = []
    try:
        for space in spaces:
            ip("netns", "add", space)
            made.append(space)
            ip("-n", space, "link", "set", "lo", "up")
        for number, space in enumerate((one, two), 1):
            ends = ("link", "add", "cable", "type", "veth", "peer", f"end{number}", "netns", middle)
            ip("-n", space, *ends)
            ip("-n", space, "addr", "add", f"10.78.0.{number}/24", "dev", "cable")
            for where, device in ((space, "cable"), (middle, f"end{number}")):
                with inside(where):
                    as_on_a_wire(device)
                ip("-n", where, "link", "set", device, "up")
        yield one, two, middle
    finally:
        for space in made:
            ip("netns", "del", space)


class Sent(NamedTuple):
    """A packet that the relay saw.

    Attributes:
        at: the time of day in seconds.
        size: its bytes with the heads of IP and UDP.
        first: the first byte of its payload, which tells what it is (RFC 7983): 0 to 3 is STUN, 20
            to 63 DTLS, 128 to 191 RTP.
    """

    at: float
    size: int
    first: int


class Relay:
    """Carries packets between the two cables of a namespace, in a thread."""

    def __init__(self, space: str, settings: LineConditions, seed: int = 0) -> None:
        self.world = World()
        with inside(space):
            self._sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3) for _ in "12"]
            for number, one in enumerate(self._sockets, 1):
                one.bind((f"end{number}", 3, 0))
        self.lines = [
            SimulatedLine(self.world, self._sender(other), replace(settings), seed=seed + number)
            for number, other in enumerate(reversed(self._sockets))
        ]
        self.sent: tuple[list[Sent], list[Sent]] = [], []  # by UDP, of each side
        self._ended = threading.Event()
        self._events: list[tuple[float, Callable[[], None]]] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def carried(self) -> list[int]:
        """IP bytes of UDP that each side sent."""
        return [sum(packet.size for packet in packets) for packets in self.sent]

    def change(self, after: float, settings: dict[str, Any]) -> None:
        """Change both lines in so many seconds."""

        def act() -> None:
            for each in self.lines:
                each.settings = replace(each.settings, **settings)

        self._events.append((time.monotonic() + after, act))

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)
        for one in self._sockets:
            one.close()

    def _sender(self, to: socket.socket) -> Callable[[bytes], None]:
        def send(frame: bytes) -> None:
            with contextlib.suppress(OSError):  # the cable was pulled
                to.send(frame)

        return send

    def _run(self) -> None:
        began = time.monotonic()
        while not self._ended.is_set():
            readable, _, _ = select.select(self._sockets, [], [], 0.001)
            self.world.run(time.monotonic() - began)
            for due in [event for event in self._events if event[0] <= time.monotonic()]:
                self._events.remove(due)
                due[1]()
            for number, one in enumerate(self._sockets):
                if one not in readable:
                    continue
                frame, (_, _, kind, *_rest) = one.recvfrom(65536)
                if kind == socket.PACKET_OUTGOING:
                    continue
                if frame[12:14] == b"\x08\x00" and frame[23] == _UDP:
                    first = frame[ETHERNET + 4 * (frame[ETHERNET] & 15) + _UDP_HEAD]
                    self.sent[number].append(Sent(time.time(), len(frame) - ETHERNET, first))
                self.lines[number].send(frame)


@dataclass
class Program:
    """`facewire call` in a namespace."""

    space: str
    folder: Path
    name: str
    words: list[str]
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        out, err = (self.folder / f"{self.name}.{end}" for end in ("out", "err"))
        command = [IP, "netns", "exec", self.space, sys.executable, "-m", "facewire", "call"]
        files = ["--stats", str(self.folder / f"{self.name}.jsonl")]
        files += ["--out", str(self.folder / f"{self.name}.mp4")]
        files += ["--record", str(self.folder / f"{self.name}.fwire")]
        with out.open("wb") as stdout, err.open("wb") as stderr:
            self.process = subprocess.Popen(
                [*command, *files, *self.words],
                stdout=stdout,
                stderr=stderr,
                cwd=self.folder,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def waits_for(self, text: str, seconds: float = 120.0) -> str:
        """What was said, once it has a text in it."""
        ends = time.monotonic() + seconds
        while True:
            said = self.said()
            if text in said:
                return said
            if self.process.poll() is not None or time.monotonic() > ends:
                raise SystemExit(f"{self.name} did not say {text!r}:\n{said}")
            time.sleep(0.02)

    def said(self) -> str:
        """The whole lines so far."""
        texts = ((self.folder / f"{self.name}.{end}").read_text() for end in ("out", "err"))
        return "".join(text[: text.rfind("\n") + 1] for text in texts)

    def rows(self) -> list[dict[str, Any]]:
        lines = (self.folder / f"{self.name}.jsonl").read_text().splitlines()
        return [json.loads(each) for each in lines]

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def call(
    line: LineConditions, folder: Path, words: list[str], seed: int = 0
) -> Iterator[tuple[tuple[Program, Program], Relay]]:
    """Two programs that are in a call over a line. The one that joined leaves at the end of the
    block, and both have ended after it.

    Args:
        line: how both ways behave.
        folder: to which both write.
        words: options of both, behind `facewire call`.
        seed: of the line.
    """
    programs: list[Program] = []
    with network() as (one, two, middle):
        relay = Relay(middle, line, seed)
        try:
            programs.append(Program(one, folder, "one", words))
            said = programs[0].waits_for("#")
            link = next(word for word in said.split() if "#" in word)
            programs.append(Program(two, folder, "two", [*words, link]))
            programs[1].waits_for("connected")
            yield (programs[0], programs[1]), relay
            programs[1].process.send_signal(signal.SIGINT)
            for program in programs:
                program.process.wait(60)
        finally:
            for program in programs:
                program.end()
            relay.close()
