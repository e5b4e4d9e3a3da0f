"""`Gaps`: which packets came, which may still come, and which count as lost.

A missing packet is waited for until a time has passed. Without a clock, it is waited for until more
than `window` later packets are there.
"""

from __future__ import annotations

from ...codec.control import MAX_MAP_BYTES, Received
from ...codec.counters import WRAP
from ..statistics import Statistics

__all__ = ["MEMORY", "Gaps"]

MEMORY = 1024
"""How many numbers are remembered."""
_MASK = (1 << MEMORY) - 1
_REPORTED = (1 << 8 * MAX_MAP_BYTES) - 1


class Gaps:
    """A map of the last `MEMORY` sequence numbers. All numbers are full ones, not modulo 65536.

    Args:
        window: without a clock, how many later packets may come before a packet counts as lost.
        wait_s: with a clock, how many seconds a packet is waited for, once a later one came.
        statistics: lost packets are counted here.

    Attributes:
        newest: the largest number that came; None before the first.
    """

    def __init__(self, window: int, wait_s: float, statistics: Statistics) -> None:
        self._window = window
        self._wait = wait_s
        self._statistics = statistics
        self.reset()

    def reset(self) -> None:
        """Forget everything; the next number begins a new map."""
        self.newest: int | None = None
        self._came = 0  # bit n: whether number newest - n came
        self._awaited: dict[int, float | None] = {}  # missing number: when it was missed; rising

    def came(self, number: int) -> bool:
        """Whether a packet came, as far as is remembered."""
        if self.newest is None or number > self.newest:
            return False
        return bool(self._came >> self.newest - number & 1)

    def may_come(self, number: int) -> bool:
        """Whether a packet is still waited for, or is newer than all that came."""
        return self.newest is None or number > self.newest or number in self._awaited

    def add(self, number: int, now: float | None) -> None:
        """Note that a packet came for which `may_come` is true."""
        if self.newest is None:
            self.newest, self._came = number, 1
        elif number > self.newest:
            self._came = (self._came << min(number - self.newest, MEMORY) | 1) & _MASK
            first = max(self.newest + 1, number - MEMORY + 1)
            self._statistics.lost += first - self.newest - 1
            self._awaited |= dict.fromkeys(range(first, number), now)
            self.newest = number
        else:
            self._came |= 1 << self.newest - number
            self._awaited.pop(number, None)
        self.expire(now)

    def expire(self, now: float | None) -> None:
        """Give up what has been waited for long enough."""
        while self._awaited:
            number = next(iter(self._awaited))
            since = self._awaited[number]
            if now is None or since is None:
                waits = self._later(number) <= self._window
            else:
                waits = now - since < self._wait
            if waits and len(self._awaited) < MEMORY:
                return
            del self._awaited[number]
            self._statistics.lost += 1

    def give_up(self) -> None:
        """Wait for nothing that is missing now."""
        self._statistics.lost += len(self._awaited)
        self._awaited.clear()

    def settled(self, after: int, number: int) -> bool:
        """Whether nothing between two numbers is waited for."""
        return not any(after < each < number for each in self._awaited)

    def missing(self, after: int, number: int) -> int:
        """How many numbers between two have not come; `number` itself has."""
        span = min(number - after - 1, MEMORY)
        if self.newest is None or span <= 0:
            return 0
        between = self._came >> self.newest - number + 1 & (1 << span) - 1
        return span - between.bit_count()

    def received(self) -> Received | None:
        """What came, for a report to the sender."""
        if self.newest is None:
            return None
        return Received(self.newest % WRAP, self._came >> 1 & _REPORTED)

    def _later(self, number: int) -> int:
        """How many packets came that are later than a number."""
        newest = number if self.newest is None else self.newest
        return (self._came & (1 << newest - number) - 1).bit_count()
