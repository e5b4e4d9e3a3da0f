"""`Pace`: how many of the pictures that are due are worth rendering now.

A frame's lateness is the clock less the frame's own time. The two count from different moments, so
only the difference to the smallest lateness so far means something. It grows after an outage, and
where a program does not keep up with the stream. Then only the newest picture is rendered, and four
a second at most, until the program has caught up: the lateness falls no more. It then counts as
usual, since the clocks drift, and the way through the network may have become longer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Pace"]

_LATE_S = 0.3
_APART_S = 0.25


class Pace:
    """Remembers the smallest lateness."""

    def __init__(self) -> None:
        self._usual = math.inf
        self._behind = False
        self._before: float | None = None  # lateness at the last call, if it rendered nothing
        self._rendered = -math.inf  # clock at the last picture

    def room(self, times: Sequence[float], now: float, most: int) -> int:
        """How many of the frames that are due should be rendered, the newest of them.

        Args:
            times: theirs, in seconds, rising.
            now: seconds of the clock.
            most: in one call.
        """
        if not times:
            return most
        lateness = now - times[-1]
        self._usual = min(self._usual, lateness)
        if self._behind and self._before is not None and lateness >= self._before:
            self._behind, self._usual = False, lateness
        elif not self._behind and now - times[0] - self._usual > _LATE_S:
            self._behind = True
        if self._behind:
            most = int(now - self._rendered >= _APART_S)
            self._before = None if most else lateness
        if most:
            self._rendered = now
        return most
