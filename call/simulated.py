"""A network in the computer: discrete events in virtual time, seeded.

A `Line` carries datagrams one way: loss (at random and in bursts), delay, jitter, reordering,
doubling, and a bottleneck with a queue whose rate may change. A `World` runs events in their order.
Times are seconds of the world's clock; a `Clock` shows how a machine reads it.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Clock", "Line", "LineSettings", "World"]


class World:
    """Events in the order of their times; those of one time in the order of their planning."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Do something at a time, at once where that has passed."""
        heapq.heappush(self._events, (max(time, self.now), next(self._numbers), action))

    def run(self, until: float) -> None:
        """Let time pass up to `until`."""
        while self._events and self._events[0][0] <= until:
            self.now, _, action = heapq.heappop(self._events)
            action()
        self.now = until


@dataclass(frozen=True)
class Clock:
    """A machine's clock: it was set to something, and it runs a little fast or slow.

    Attributes:
        start: what it shows at the world's time 0, in seconds.
        ppm: parts in a million by which it runs fast.
    """

    start: float = 0.0
    ppm: float = 0.0

    def read(self, time: float) -> float:
        """What it shows at a time of the world."""
        return self.start + time * (1 + self.ppm * 1e-6)

    def time_of(self, shown: float) -> float:
        """The world's time at which it shows this."""
        return (shown - self.start) / (1 + self.ppm * 1e-6)


@dataclass
class LineSettings:
    """How a line behaves; may be changed while it is used.

    Attributes:
        kbps: rate of the bottleneck, None for no limit.
        queue_s: what the bottleneck's queue holds, in seconds of its rate; more is dropped.
        delay_s: propagation one way.
        jitter_s: mean of an exponential delay beyond it. Datagrams overtake each other only as
            `reorder` says.
        loss: part of the datagrams that is lost, in bursts whose mean length is `burst`.
        reorder: part that is held back by 60 ms.
        double: part that arrives twice.
        overhead: bytes that the network adds to each datagram.
        dead: nothing arrives.
    """

    kbps: float | None = None
    queue_s: float = 2.0
    delay_s: float = 0.08
    jitter_s: float = 0.0
    loss: float = 0.0
    burst: float = 1.0
    reorder: float = 0.0
    double: float = 0.0
    overhead: int = 50
    dead: bool = False


@dataclass
class Line:
    """One way of a network.

    Attributes:
        world: whose events are used.
        deliver: is called with each datagram when it arrives.
        settings: see `LineSettings`.
        seed: of all that is left to chance.
        sent_bytes: what was sent, the network's own bytes included.
        datagrams, lost: counts; lost are those of the queue's end as well.
    """

    world: World
    deliver: Callable[[bytes], None]
    settings: LineSettings = field(default_factory=LineSettings)
    seed: int = 0
    sent_bytes: int = 0
    datagrams: int = 0
    lost: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._free = 0.0  # when the bottleneck has sent all that waits
        self._latest = 0.0  # no later datagram arrives earlier
        self._bad = False

    def send(self, datagram: bytes) -> None:
        """Take a datagram now."""
        s, now = self.settings, self.world.now
        size = len(datagram) + s.overhead
        self.sent_bytes += size
        self.datagrams += 1
        arrival = now + s.delay_s
        if s.kbps is not None:
            wait = max(self._free - now, 0.0)
            if wait > s.queue_s:
                self.lost += 1
                return
            self._free = now + wait + size * 8 / (s.kbps * 1000)
            arrival = self._free + s.delay_s
        if s.dead or self._is_lost():
            self.lost += 1
            return
        if s.jitter_s:
            arrival += self._random.expovariate(1 / s.jitter_s)
        if self._random.random() < s.reorder:
            arrival += 0.06
        else:
            arrival = self._latest = max(arrival, self._latest)
        copies = 2 if self._random.random() < s.double else 1
        for copy in range(copies):
            self.world.at(arrival + 0.01 * copy, lambda: self.deliver(datagram))

    @property
    def backlog_s(self) -> float:
        """How long a datagram that is sent now would wait in the bottleneck's queue."""
        return max(self._free - self.world.now, 0.0)

    def _is_lost(self) -> bool:
        """Gilbert's model: a bad state that loses all, left with probability 1 / burst."""
        s = self.settings
        if s.loss <= 0:
            return False
        if self._bad:
            self._bad = self._random.random() >= 1 / s.burst
        else:
            enter = min(s.loss / (s.burst * (1 - min(s.loss, 0.99))), 1.0)
            self._bad = self._random.random() < enter
        return self._bad
