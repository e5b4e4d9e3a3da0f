"""`ReportPace`: decides when a report goes back to the sender, so that reports stay few."""

from __future__ import annotations

from collections import deque

from ..codec.control import Wants

__all__ = ["ReportPace"]

_APART_S = 0.1
"""Between ordinary reports: ten a second."""
_AGAIN_S = 0.2
"""After so long, a wish that is not fulfilled is told again although nothing came."""
_MOST = 20
"""Reports in a second, whatever happens."""


class ReportPace:
    """Remembers when the last reports went out."""

    def __init__(self) -> None:
        self._sent: deque[float] = deque(maxlen=_MOST)
        self._wants = Wants.NOTHING
        self._packets = 0

    def is_due(self, now: float, packets: int, wants: Wants, urgent: bool) -> bool:
        """Whether a report should go out now; if so, it counts as sent.

        Args:
            now: seconds of the clock.
            packets: how many packets have come in all.
            wants: what is wanted. A new wish is told at once.
            urgent: something else should be told at once.
        """
        since = now - self._sent[-1] if self._sent else now
        news = packets != self._packets
        if not (bool(wants & ~self._wants) or urgent):
            first = not self._sent and news
            ordinary = news and since >= _APART_S
            again = bool(wants) and since >= _AGAIN_S
            if not (first or ordinary or again):
                return False
        if len(self._sent) == _MOST and now - self._sent[0] < 1:
            return False
        self._sent.append(now)
        self._wants, self._packets = wants, packets
        return True
