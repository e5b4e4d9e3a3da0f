"""`ArrivalLog`: when the peer's datagrams came. Reports tell the peer, who estimates the line."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

from ..codec.control import MAX_ARRIVALS, Arrivals
from ..codec.counters import WRAP, nearest

__all__ = ["ArrivalLog"]

_REPEATED = 6  # datagrams that the next report names again, since a report may be lost
_SETTLE_S = 0.06  # a datagram that is overtaken counts as lost after so long
_LONGEST_S = 4.0  # between two arrivals in one report
_FAR = 4096  # numbers: a jump by more begins the log anew


class ArrivalLog:
    """Collects arrivals, and reports each of them.

    Attributes:
        received: how many datagrams came; one that came twice counts once.
        lost: how many of the datagrams that were reported on did not come.
    """

    def __init__(self) -> None:
        self.received = self.lost = 0
        self._times: dict[int, float] = {}
        self._newest: int | None = None
        self._told = -1  # every number up to this one was reported

    def add(self, number: int, now: float) -> bool:
        """Note that a datagram came.

        Args:
            number: the number in the datagram, 0..65535.
            now: seconds of this side's clock.

        Returns:
            False if it had come before.
        """
        full = number if self._newest is None else nearest(number, self._newest)
        if self._newest is not None and abs(full - self._newest) > _FAR:
            self._times.clear()
            self._newest, self._told = None, full - 1
        if full in self._times or (self._newest is not None and full < self._newest - _FAR):
            return False
        if self._newest is None:
            self._told = full - 1
        self._times[full] = now
        self._newest = full if self._newest is None else max(self._newest, full)
        self.received += 1
        while len(self._times) > 4 * MAX_ARRIVALS:
            del self._times[min(self._times)]
        return True

    def report(self, now: float) -> Arrivals | None:
        """What came since the last report, and some of what the last report said already, in case
        it was lost. None if nothing came.
        """
        if self._newest is None:
            return None
        end = self._settled(now)
        first = max(min(self._told + 1, end) - _REPEATED, min(self._times), end - MAX_ARRIVALS + 1)
        came = sorted(number for number in self._times if first <= number <= end)
        for before, after in pairwise(came):
            if self._times[after] - self._times[before] > _LONGEST_S:
                first = after  # a report cannot express so long a pause
        if end < first:
            return None
        self.lost += sum(n not in self._times for n in range(self._told + 1, end + 1))
        self._told = max(self._told, end)
        arrived = [self._times.get(number) for number in range(first, end + 1)]
        start = int(min(time for time in arrived if time is not None) * 1000)
        times = tuple(None if time is None else time - start / 1000 for time in arrived)
        return Arrivals(first % WRAP, start % (1 << 32), times)

    def _settled(self, now: float) -> int:
        """The newest number of which all earlier datagrams have come, or will not come any more."""
        newest = self._newest if self._newest is not None else -1
        missing = deque(n for n in range(self._told + 1, newest) if n not in self._times)
        for number in missing:
            after = min(self._times[n] for n in self._times if n > number)
            if now - after < _SETTLE_S:
                return number - 1
        return newest
