"""`Pace`: tells which frames come too late to be worth rendering.

A frame's lateness is the clock less the frame's own time. The two count from different moments, so
only the difference to the smallest lateness of the last seconds means something. It grows after an
outage, and where a program does not keep up with the stream.
"""

from __future__ import annotations

import math

__all__ = ["Pace"]

_LATE_S = 0.3
_PERIOD_S = 5.0


class Pace:
    """Remembers the smallest lateness of the last 5 to 10 seconds."""

    def __init__(self) -> None:
        self._since = -math.inf
        self._before = self._least = math.inf  # of the last period and of this one

    def is_late(self, time: float, now: float) -> bool:
        """Take a frame that is due.

        Args:
            time: its own, in seconds.
            now: seconds of the clock.
        """
        lateness = now - time
        if now - self._since >= _PERIOD_S:
            longer = now - self._since >= 2 * _PERIOD_S
            self._before = math.inf if longer else self._least
            self._since, self._least = now, math.inf
        self._least = min(self._least, lateness)
        return lateness - min(self._before, self._least) > _LATE_S
