"""`RenderLoad`: decides whether the lighter network renders, because the computer is too slow.

If rendering does not keep up, at first fewer pictures are shown, because only the newest one is
taken. If less than two thirds of them are left for some seconds, the lighter network takes over.
The heavier one is tried again when it would probably keep up. Each time that this was a mistake,
the next attempt waits longer.
"""

from __future__ import annotations

from collections import deque

__all__ = ["RenderLoad"]

_SPAN_S = 4.0  # over which rendering is watched
_BUSY = 0.85  # part of the time from which on rendering is what limits
_SHOWN = 0.67  # part of the pictures below which the lighter network takes over
_ROOM = 0.7  # part of the time that the heavier network may take where it is to return
_BACK_S = 10.0  # before the first try to return; twice as long after each that failed
_MOST_BACK_S = 160.0
_LASTED_S = 30.0  # a return that held for so long was right


class RenderLoad:
    """Watches how long pictures take.

    Attributes:
        light: whether the lighter network should render now.
    """

    def __init__(self) -> None:
        self.light = False
        self._lately: deque[tuple[float, float, int]] = deque()  # when, seconds, skipped before it
        self._usual = 0.0  # seconds of a picture lately, by the network that renders
        self._heavier: float | None = None  # the same of the heavier one, before it was left
        self._ratio = 1.0  # how many times as long as the lighter one the heavier one takes
        self._changed: float | None = None
        self._wait = _BACK_S

    @property
    def usual_s(self) -> float:
        """Seconds that a picture has taken lately; 0 before the first."""
        return self._usual

    def add(self, now: float, seconds: float, skipped: int) -> None:
        """Note that a picture was made.

        Args:
            now: seconds of the clock, when it was done.
            seconds: that it took.
            skipped: pictures that were due since the one before it, and were left out.
        """
        self._changed = now if self._changed is None else self._changed
        self._usual += 0.1 * (seconds - self._usual) if self._usual else seconds
        self._lately.append((now, seconds, skipped))
        while self._lately[0][0] < now - _SPAN_S:
            self._lately.popleft()
        if now - self._changed < _SPAN_S:
            return
        if self._heavier is not None:
            self._ratio, self._heavier = self._heavier / self._usual, None
        busy = sum(took for _, took, _ in self._lately) / _SPAN_S
        due = len(self._lately) + sum(left_out for _, _, left_out in self._lately)
        if not self.light:
            if now - self._changed > _LASTED_S:
                self._wait = _BACK_S
            if busy > _BUSY and len(self._lately) < _SHOWN * due:
                self._change(now)
        elif (
            now - self._changed > self._wait
            and busy * self._ratio * due / len(self._lately) < _ROOM
        ):
            self._change(now)
            self._wait = min(2 * self._wait, _MOST_BACK_S)

    def _change(self, now: float) -> None:
        self._heavier = None if self.light else self._usual
        self.light = not self.light
        self._changed, self._usual = now, 0.0
        self._lately.clear()
