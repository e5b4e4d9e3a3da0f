"""`Blinks`: when and how lids fall.

From one blink to the next it takes a time whose logarithm is normal, and each takes the same
course. Times and course are measured in clips of `train` (`python -m benchmarks.performing`,
docs/speak.md).
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["COURSE", "EVERY_S", "Blinks"]

_MEDIAN_S, _SPREAD = 1.45, 0.9  # of the times: median, and standard deviation of the logarithm
_MOST_S = 12.0
EVERY_S = 0.04
"""Seconds between two values of `COURSE`."""
COURSE = (0.0, 0.07, 0.62, 0.87, 0.67, 0.33, 0.18, 0.11, 0.07, 0.05, 0.04, 0.03, 0.01, 0.0)
"""How far lids have fallen in the course of a blink, 0 to 1: the median of 361 blinks."""
_LASTS_S = EVERY_S * (len(COURSE) - 1)


class Blinks:
    """The blinks of one person.

    Args:
        random: of this person.
    """

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._begins = self._time()

    def at(self, seconds: float) -> float:
        """How far the lids are down, 0 to 1, at a time not earlier than the last one asked for."""
        if seconds > self._begins + 2 * _MOST_S:  # nobody asked for a long time
            self._begins = seconds + self._time()
        while seconds >= self._begins + _LASTS_S:
            self._begins += self._time()
        times = EVERY_S * np.arange(len(COURSE))
        return float(np.interp(seconds - self._begins, times, COURSE, 0.0, 0.0))

    def _time(self) -> float:
        """From the beginning of a blink to that of the next; none begins in another one."""
        drawn = _MEDIAN_S * math.exp(_SPREAD * self._random.standard_normal())
        return min(max(drawn, _LASTS_S), _MOST_S)
