"""Virtual time for tests: packets with the time at which they arrive, and a decoder that is fed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from facewire.codec.packet import Kind, Packet
from facewire.receiver.decoder import Decoder, Due
from facewire.receiver.tracks.pictures import DuePicture

TICK = 0.02
Timed = tuple[float, Packet | bytes]


def arriving(packets: Iterable[Packet], start: float = 100.0, fps: int = 25) -> list[Timed]:
    """Each packet at the time of the frame after which it is sent; time 0 of the stream is at
    `start`. The numbers of frames must be below 65536.
    """
    timed: list[Timed] = []
    now = start
    for packet in packets:
        if packet.kind == Kind.MOTION:
            now = start + packet.pts / fps
        timed.append((now, packet))
    return timed


def numbered(packets: Iterable[Packet], first: int = 0) -> list[Packet]:
    """The same packets with sequence numbers that follow each other."""
    return [replace(p, sequence=(first + n) % 65536) for n, p in enumerate(packets)]


def feed(decoder: Decoder, timed: Iterable[Timed], until: float = 0.0) -> list[tuple[float, Due]]:
    """Give a decoder its packets, and let time pass in steps of `TICK` between them and after them.

    Returns:
        What is due, with the time.
    """
    out: list[tuple[float, Due]] = []
    clock: float | None = None

    def wait(now: float) -> None:
        nonlocal clock
        while clock is not None and clock + TICK < now:
            clock += TICK
            out.extend((clock, due) for due in decoder.expire(clock))

    for now, packet in timed:
        wait(now)
        clock = now
        out.extend((now, due) for due in decoder.take(packet, now))
    wait(until)
    return out


def pictures(dues: Iterable[tuple[float, Due]]) -> list[tuple[float, DuePicture]]:
    return [(now, due) for now, due in dues if isinstance(due, DuePicture)]
