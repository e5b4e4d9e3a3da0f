"""`FrameGrid`: frames at even times, though their times jitter."""

from __future__ import annotations

import math

__all__ = ["FrameGrid"]

_NEAR = 0.25  # of the time of a frame
_EARLY, _LATE = 0.48, 0.75  # ticks that a frame may come before and after its tick


class FrameGrid:
    """Gives each frame its tick.

    Frames of one MOTION packet are equally far apart. So a frame near its place on a regular grid
    takes that place, and one that is not begins another grid.

    Args:
        step: ticks from one frame to the next, at the nominal rate.
    """

    def __init__(self, step: float) -> None:
        self._step = step
        self._anchor: float | None = None  # ticks of the grid's first frame
        self._last: int | None = None

    def place(self, at: float) -> int | None:
        """The tick of a frame that comes `at` so many ticks; None if it comes too early: that tick
        has its frame already.
        """
        if self._anchor is None:
            self._anchor = at
        if self._last is not None and at < self._last + 1 - _EARLY:
            return None
        steps = round((at - self._anchor) / self._step)
        place = self._anchor + steps * self._step
        if abs(at - place) > _NEAR * self._step:
            self._anchor = place = at
        # The earliest tick: a late frame that took the next one would leave the next frame none.
        tick = math.ceil(place - _LATE)
        if self._last is not None:
            tick = max(tick, self._last + 1)
        self._last = tick
        return tick
