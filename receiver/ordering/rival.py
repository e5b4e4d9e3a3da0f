"""`Rival`: notices that a sender began to count anew, and is not deceived by stray packets.

A packet may have come before, be far too late, or have a number far from the others. One such
packet says nothing. But when a row of them comes and no packet of the old count between them, then
the sender began anew. The packets of that row are kept, so that nothing of it is lost.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from ...codec.counters import nearest

__all__ = ["Rival"]

T = TypeVar("T")
_ROW = 24
"""Packets of a row that is believed without a clock."""
_TIMED_ROW, _SECONDS = 6, 0.4
"""Packets of a row that is believed with a clock, and how long it must last. A copy of packets that
came before is over sooner."""
_STEP = 64
"""Numbers by which a packet of the row may be away from the newest one."""
_KEPT = 256


class Rival(Generic[T]):
    """A row of packets that do not fit the count that is followed."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A packet of the old count came: it goes on."""
        self._row: dict[int, T] = {}
        self._last = 0
        self._since: float | None = None

    def push(self, sequence: int, item: T, now: float | None) -> bool:
        """Take a packet that does not fit; return whether the row is believed by now."""
        number = nearest(sequence, self._last) if self._row else sequence
        if self._row and abs(number - self._last) > _STEP:
            self.reset()
            number = sequence
        if not self._row:
            self._last, self._since = number, now
        self._row.setdefault(number, item)
        self._last = max(self._last, number)
        if len(self._row) > _KEPT:
            del self._row[min(self._row)]
        if now is None or self._since is None:
            return len(self._row) >= _ROW
        return len(self._row) >= _TIMED_ROW and now - self._since >= _SECONDS

    def take(self) -> list[tuple[int, T]]:
        """The row, with numbers that rise; it is empty afterwards."""
        row = sorted(self._row.items(), key=lambda pair: pair[0])
        self.reset()
        return row
