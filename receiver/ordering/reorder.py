"""`ReorderWindow`: puts packets into the order in which they were sent, without a clock.

A packet that is the next in line passes at once, so an intact stream is never delayed. After a gap
packets wait until the missing one comes or more than `window` of them wait; then it counts as lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.counters import nearest
from ...codec.packet import Packet
from ..statistics import Statistics

__all__ = ["RESTART", "Arrival", "ReorderWindow"]

_MEMORY = 1024
RESTART = 3000
"""A jump of the sequence number by more than this means another stream or a restarted sender
(MAX_DROPOUT of RFC 3550, A.1)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet in order, and how many sequence numbers directly before it never came."""

    packet: Packet
    lost_before: int


class ReorderWindow:
    """Sorts packets, drops duplicates and drops packets that come too late.

    Args:
        window: how many packets may wait for a missing one; with 0, every gap counts as a loss.
        statistics: duplicates, late and lost packets are counted here.
    """

    def __init__(self, window: int, statistics: Statistics) -> None:
        self._window = window
        self._statistics = statistics
        self.reset()

    def reset(self) -> None:
        """Forget the order; the next packet begins a new one."""
        self._started = False
        self._next = 0
        self._waiting: dict[int, Packet] = {}
        self._seen: dict[int, None] = {}

    def __len__(self) -> int:
        """Number of packets that wait for a missing one."""
        return len(self._waiting)

    def push(self, packet: Packet) -> list[Arrival]:
        """Take one packet; return those that are now in order (often this one alone)."""
        if not self._started:
            self._started, self._next = True, packet.sequence
        number = nearest(packet.sequence, self._next)
        ready: list[Arrival] = []
        if abs(number - self._next) > RESTART:
            ready = self.flush()
            self._seen.clear()
            self._next = number
        if number in self._seen:
            self._statistics.duplicates += 1
            return ready
        self._remember(number)
        if number < self._next:
            self._statistics.late += 1
            return ready
        self._waiting[number] = packet
        ready += self._in_line(0)
        while len(self._waiting) > self._window:
            ready += self._over_the_gap()
        return ready

    def flush(self) -> list[Arrival]:
        """Count everything missing as lost and return all packets that wait, in order."""
        ready: list[Arrival] = []
        while self._waiting:
            ready += self._over_the_gap()
        return ready

    def _over_the_gap(self) -> list[Arrival]:
        first = min(self._waiting)
        lost = first - self._next
        self._next = first
        self._statistics.lost += lost
        return self._in_line(lost)

    def _in_line(self, lost: int) -> list[Arrival]:
        ready: list[Arrival] = []
        while self._next in self._waiting:
            ready.append(Arrival(self._waiting.pop(self._next), lost))
            lost = 0
            self._next += 1
        return ready

    def _remember(self, number: int) -> None:
        self._seen[number] = None
        while len(self._seen) > _MEMORY:
            del self._seen[next(iter(self._seen))]
