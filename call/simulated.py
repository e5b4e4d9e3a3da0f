"""A simulated network: discrete events in virtual time, with a seed.

A `SimulatedLine` carries datagrams one way: loss (at random and in bursts), delay, jitter,
reordering, doubling, and a bottleneck with a queue and a rate that may change. A `World` runs
events in their order. Times are seconds of the world's clock; a `Clock` shows what the clock of a
machine says.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Clock", "LineConditions", "SimulatedLine", "World"]


class World:
    """Runs events in the order of their times, and those of the same time as they were planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        """Plan an event for a time, or for now if that time has passed."""
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
        ppm: how much too fast it runs, in parts in a million.
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
class LineConditions:
    """How a line behaves; may be changed while it is used.

    Attributes:
        kbps: rate of the bottleneck, None for no limit.
        queue_s: what the bottleneck's queue holds, in seconds of its rate; more is dropped.
        delay_s: propagation one way.
        jitter_s: mean of an exponential delay beyond it. Datagrams overtake each other only as
            `reorder` says.
        loss: which part of the datagrams is lost, in bursts whose mean length is `burst`.
        reorder: which part is held back by 60 ms.
        double: which part arrives twice.
        overhead: bytes that the network adds to each datagram.
        dead: whether nothing arrives at all.
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
class SimulatedLine:
    """One way of a network.

    Attributes:
        world: the world that runs its events.
        deliver: is called with each datagram when it arrives.
        settings: see `LineConditions`.
        seed: decides all that is random.
        sent_bytes: what was sent, the network's own bytes included.
        datagrams, lost: counts; those that a full queue drops are lost, too.
    """

    world: World
    deliver: Callable[[bytes], None]
    settings: LineConditions = field(default_factory=LineConditions)
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

    def fill(self, seconds: float) -> None:
        """Put other people's data into the bottleneck's queue, which take so long."""
        self._free = max(self._free, self.world.now) + seconds

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
