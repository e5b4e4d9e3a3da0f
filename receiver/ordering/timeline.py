"""`Timeline`: turns 16-bit time stamps into full ones, and rejects wild jumps.

A time stamp is unwrapped near the time at which it is expected: the last one and the time that has
passed since. If one damaged time stamp were believed, every later packet would count as late. So a
time stamp that is far from what is expected waits until the next packet confirms it, as RFC 3550
(appendix A.1) does with sequence numbers. An honest pause loses nothing, since both then pass.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Generic, TypeVar

from ...codec.counters import WRAP, nearest

__all__ = ["Timeline"]

T = TypeVar("T")


class Timeline(Generic[T]):
    """Gives items that come in order their full time.

    Args:
        tick: seconds of a tick.
        plausible: the largest step in ticks that is believed at once.

    Attributes:
        plausible: as given, but less than half of what 16 bits can tell apart.
        rejected: number of items dropped because no other item confirmed their time.
    """

    def __init__(self, tick: Fraction, plausible: int) -> None:
        self._tick = float(tick)
        self.plausible = min(max(plausible, 1), WRAP // 2 - 1)
        self._last: int | None = None
        self._came: float | None = None  # clock at the last one
        self._doubtful: tuple[int, T] | None = None
        self.rejected = 0

    def anchor(self, full: int) -> None:
        """Tell about what time it is. It replaces the known time if the two are far apart."""
        if self._last is None or abs(full - self._last) > WRAP // 4:
            self._last, self._came = full, None
            self._doubtful = None

    def push(
        self, value: int, item: T, now: float | None = None, near: int | None = None
    ) -> list[tuple[int, T]]:
        """Add an item with its 16-bit time; return the pairs (full time, item) now believed.

        Args:
            value: the time modulo 65536.
            item: what has that time.
            now: seconds of the clock, None without one.
            near: full time of the keyframe that the item refers to. A far time is believed at once
                if it is near this one.
        """
        bases = self._bases(value, now, near)
        for base in bases:
            full = nearest(value, base)
            if self._follows(full, base):
                self._reject()
                return self._believe(now, (full, item))
        if self._doubtful is not None:
            doubtful = self._doubtful
            full = nearest(value, doubtful[0])
            if self._follows(full, doubtful[0]):
                return self._believe(now, doubtful, (full, item))
            self._reject()
        self._doubtful = (nearest(value, bases[0]), item)
        return []

    def flush(self) -> list[tuple[int, T]]:
        """Return the item that still waits for confirmation, if there is one."""
        return [] if self._doubtful is None else self._believe(None, self._doubtful)

    def _bases(self, value: int, now: float | None, near: int | None) -> list[int]:
        """Full times near which the next one may lie, the likeliest first."""
        if self._last is None:
            return [value if near is None else near]
        bases = [self._last]
        if now is not None and self._came is not None:
            bases.insert(0, self._last + int(max(now - self._came, 0.0) / self._tick))
        return bases if near is None else [*bases, near]

    def _follows(self, full: int, earlier: int) -> bool:
        return abs(full - earlier) <= self.plausible

    def _believe(self, now: float | None, *pairs: tuple[int, T]) -> list[tuple[int, T]]:
        self._doubtful = None
        self._last, self._came = pairs[-1][0], now
        return list(pairs)

    def _reject(self) -> None:
        self.rejected += self._doubtful is not None
        self._doubtful = None
