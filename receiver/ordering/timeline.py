"""`Timeline`: turns 16-bit time stamps into full ones, and rejects wild jumps.

If one damaged time stamp were believed, every later packet would count as late. So a time stamp
that is far from the last one waits until the next packet confirms it, as RFC 3550 (appendix A.1)
does with sequence numbers. An honest pause loses nothing, since both packets then pass.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from ...codec.counters import WRAP, nearest

__all__ = ["Timeline"]

T = TypeVar("T")


class Timeline(Generic[T]):
    """Gives items that come in order their full time.

    Args:
        plausible: the largest step in ticks that is believed at once.

    Attributes:
        rejected: number of items dropped because no other item confirmed their time.
    """

    def __init__(self, plausible: int) -> None:
        self._plausible = min(max(plausible, 1), WRAP // 2 - 1)
        self._last: int | None = None
        self._doubtful: tuple[int, T] | None = None
        self.rejected = 0

    def anchor(self, full: int) -> None:
        """Tell the full time of a keyframe. It replaces the known time if the two are far apart."""
        if self._last is None or abs(full - self._last) > WRAP // 4:
            self._last = full
            self._doubtful = None

    def push(self, value: int, item: T) -> list[tuple[int, T]]:
        """Add an item with its 16-bit time; return the pairs (full time, item) now believed."""
        last = value if self._last is None else self._last
        full = nearest(value, last)
        if self._follows(full, last):
            self._reject()
            return self._believe((full, item))
        if self._doubtful is not None:
            doubtful = self._doubtful
            full = nearest(value, doubtful[0])
            if self._follows(full, doubtful[0]):
                return self._believe(doubtful, (full, item))
            self._reject()
        self._doubtful = (full, item)
        return []

    def flush(self) -> list[tuple[int, T]]:
        """Return the item that still waits for confirmation, if there is one."""
        return [] if self._doubtful is None else self._believe(self._doubtful)

    def _follows(self, full: int, earlier: int) -> bool:
        return abs(full - earlier) <= self._plausible

    def _believe(self, *pairs: tuple[int, T]) -> list[tuple[int, T]]:
        self._doubtful = None
        self._last = pairs[-1][0]
        return list(pairs)

    def _reject(self) -> None:
        self.rejected += self._doubtful is not None
        self._doubtful = None
