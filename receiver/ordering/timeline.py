"""`Timeline`: 16-bit time stamps of motion packets to full ones, and a guard against wild jumps.

One damaged time stamp that was believed would make everything after it "late". So a jump that
is far from what was expected waits for a second packet that agrees with it, as RFC 3550
(appendix A.1) does with sequence numbers; an honest pause loses nothing, since both then pass.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from ...codec.counters import WRAP

__all__ = ["Timeline"]

T = TypeVar("T")


class Timeline(Generic[T]):
    """Unwraps time stamps of items that come in order.

    Args:
        plausible: largest step in ticks that is believed at once.

    Attributes:
        rejected: items dropped because nothing agreed with their time.
    """

    def __init__(self, plausible: int) -> None:
        self._plausible = min(max(plausible, 1), WRAP // 2 - 1)
        self._last: int | None = None
        self._doubtful: tuple[int, T] | None = None
        self.rejected = 0

    def anchor(self, full: int) -> None:
        """Take a time that is known in full (a keyframe's); matters where the known one is far."""
        if self._last is None or abs(full - self._last) > WRAP // 4:
            self._last = full
            self._doubtful = None

    def push(self, value: int, item: T) -> list[tuple[int, T]]:
        """Add an item with its 16-bit time; return the (full time, item) pairs now believed."""
        if self._last is None:
            self._last = value
        full = _nearest(value, self._last)
        if abs(full - self._last) <= self._plausible:
            self.rejected += self._doubtful is not None
            self._doubtful = None
            self._last = full
            return [(full, item)]
        if self._doubtful is None:
            self._doubtful = (full, item)
            return []
        before, waiting = self._doubtful
        full = _nearest(value, before)
        if abs(full - before) <= self._plausible:
            self._doubtful = None
            self._last = full
            return [(before, waiting), (full, item)]
        self.rejected += 1
        self._doubtful = (full, item)
        return []

    def flush(self) -> list[tuple[int, T]]:
        """At the end the doubt is settled in favour of the item."""
        if self._doubtful is None:
            return []
        full, item = self._doubtful
        self._doubtful = None
        self._last = full
        return [(full, item)]


def _nearest(value: int, known: int) -> int:
    return known + (value - known + WRAP // 2) % WRAP - WRAP // 2
