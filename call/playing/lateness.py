"""`Lateness`: how late sound arrives, and so how long it must wait before it is played.

For every piece of sound it measures how long after its own time the end of the piece arrives.
Playing is delayed by nearly the largest such lateness of the last seconds, and by the length of the
longest of the newest pieces, because the first sample of a piece waits for its last. Of a stream
that has just begun only the newer half counts: at first both sides are busy with other things.
"""

from __future__ import annotations

from collections import deque

from ...codec.sound.opus import SAMPLE_RATE

__all__ = ["Lateness", "percentile"]

_PERCENTILE = 97.0  # of the lateness of the last pieces
_REMEMBERED_S = 10.0
_FEWEST = 5  # pieces that are remembered even if they came before that
_MOST = 1000
_NEWEST = 5  # pieces of which the longest counts: the sender may make them longer or shorter
_MARGIN_S = 0.01
_SAME_S = 2.0  # a piece that says nothing, and is no farther off, is of the same clock


class Lateness:
    """Measures how late the pieces of a stream's sound arrive."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()  # now, lateness of the end
        self._lengths: deque[float] = deque(maxlen=_NEWEST)  # seconds
        self._spread: float | None = None  # percentile of the lateness; None: to be found anew
        self._newest = (0.0, 0.0)  # now and lateness of the newest piece, not yet among them
        self._goes_on: int | None = None  # sample with which the piece after the newest begins
        self._began: float | None = None  # when the first piece came
        self._told = (0.0, 0.0)  # as `_newest`, of any piece

    @property
    def delay_s(self) -> float | None:
        """Seconds from a sample's own time until it has arrived, nearly always, with the difference
        of the two clocks; None before the first piece.
        """
        if not self._late:
            return None
        if self._spread is None:
            self._spread = percentile([late for _, late in self._late], _PERCENTILE)
        return self._spread + max(self._lengths, default=0.0) + _MARGIN_S

    def count(self, start: int, samples: int, now: float, *, timely: bool) -> None:
        """Count a piece of sound.

        Args:
            start: sample of the stream's clock at which it begins.
            samples: how many it has.
            now: seconds of this side's clock.
            timely: see `SoundPlayout.push`.
        """
        self._spread = None
        if timely and start == self._goes_on:
            self._late.append(self._newest)
        end = start + samples
        self._told = (now, now - end / SAMPLE_RATE)
        if timely or not self._late:
            self._newest = self._told
            self._lengths.append(samples / SAMPLE_RATE)
        self._goes_on = end if timely else None
        if not self._late:
            self._late.append(self._newest)
        self._began = now if self._began is None else self._began
        remembered = min(_REMEMBERED_S, (now - self._began) / 2)
        while len(self._late) > _MOST or (
            len(self._late) > _FEWEST and self._late[0][0] < now - remembered
        ):
            self._late.popleft()

    def begin_anew(self) -> None:
        """Forget all pieces but the newest, because the stream goes on at another time. If that one
        only ends a pause, it does not say how late sound is, and the pieces before the pause do.
        """
        late = self._told[1]
        pause = self._goes_on is None and abs(late - self._late[-1][1]) < _SAME_S
        if not pause:
            self._late.clear()
            self._late.append(self._told)
        self._spread = None


def percentile(values: list[float], share: float) -> float:
    """The percentile `share`, 0 to 100, of at least one value. It equals that of `np.percentile`,
    which takes ten times as long for so few values.
    """
    ordered = sorted(values)
    place = (len(ordered) - 1) * (share / 100)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    low, high, part = ordered[below], ordered[above], place - below
    return high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part
