"""`ReorderWindow`: packets back into the order they were sent in, without a clock.

A packet that is next in line passes at once, so an intact stream is never delayed. Behind a hole
packets wait until the hole is filled or `window` of them have piled up; then it counts as lost.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...codec.packet import Packet
from ..statistics import Statistics

__all__ = ["Arrival", "ReorderWindow"]

_HALF = 1 << 15
_MEMORY = 1024
_DROPOUT = 3000
"""A jump this far is another stream or a restarted sender (MAX_DROPOUT of RFC 3550, A.1)."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet in order, and how many sequence numbers before it never came."""

    packet: Packet
    lost_before: int


class ReorderWindow:
    """Sorts, drops duplicates, and says what is late.

    Args:
        window: most packets that wait behind a hole; 0 takes every hole as a loss.
        statistics: duplicates, late and lost packets are counted into it.
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
        """Packets that wait behind a hole."""
        return len(self._waiting)

    def push(self, packet: Packet) -> list[Arrival]:
        """Take one packet; return those that are now in order (often this one alone)."""
        if not self._started:
            self._started, self._next = True, packet.sequence
        # Nearest neighbour: the u16 that came, unwrapped towards the one we wait for.
        number = self._next + (packet.sequence - self._next + _HALF) % (2 * _HALF) - _HALF
        ready: list[Arrival] = []
        if abs(number - self._next) > _DROPOUT:
            ready = self.flush()
            self._seen.clear()
            self._next = number
        if number in self._seen:
            self._statistics.duplicates += 1
            return ready
        if number < self._next:
            self._remember(number)
            self._statistics.late += 1
            return ready
        self._remember(number)
        self._waiting[number] = packet
        ready += self._in_line(0)
        while len(self._waiting) > self._window:
            ready += self._over_the_hole()
        return ready

    def flush(self) -> list[Arrival]:
        """Give up every hole and return all that waits, in order."""
        ready: list[Arrival] = []
        while self._waiting:
            ready += self._over_the_hole()
        return ready

    def _over_the_hole(self) -> list[Arrival]:
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
