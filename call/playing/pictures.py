"""`PictureQueue`: which picture is to be seen now. Pictures follow the clock of the sound.

Where no sound plays (the peer is muted, silent or has no microphone), pictures are delayed so that
nearly all of them are here in time, as sound is.
"""

from __future__ import annotations

from collections import deque

from ...receiver.tracks.pictures import DuePicture
from .lateness import percentile

__all__ = ["PictureQueue"]

_PERCENTILE = 95.0
_REMEMBERED_S = 10.0
_MARGIN_S = 0.005
_MOST = 512  # pictures that wait
_EARLY_S = 0.02  # a picture is shown so long before its time: half a frame


class PictureQueue:
    """The pictures that came, in the order of their times.

    Attributes:
        skipped: pictures that were never chosen, because a newer one was due.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._waiting: deque[DuePicture] = deque()
        self._late: deque[tuple[float, float]] = deque()  # now, lateness

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, due: DuePicture, now: float) -> None:
        """Take a picture that came; `now` is this side's clock in seconds."""
        self._waiting.append(due)
        if not due.concealed:
            self._late.append((now, now - float(due.pts)))
        while len(self._late) > 1000 or (self._late and self._late[0][0] < now - _REMEMBERED_S):
            self._late.popleft()
        while len(self._waiting) > _MOST:
            self._waiting.popleft()
            self.skipped += 1

    @property
    def delay_s(self) -> float:
        """The delay from a picture's own time to its showing, where no sound plays. It includes the
        difference of the two clocks, and is infinite before the first picture.
        """
        if not self._late:
            return float("inf")
        return percentile([late for _, late in self._late], _PERCENTILE) + _MARGIN_S

    def choose(self, position: float | None, now: float) -> DuePicture | None:
        """Take the newest picture whose time has come; older ones are skipped.

        Args:
            position: stream time in seconds of the sound that is heard now, None without sound.
            now: this side's clock in seconds.

        Returns:
            None if there is no new one; then the last picture stays.
        """
        if position is None:
            position = now - self.delay_s
        chosen: DuePicture | None = None
        while self._waiting and float(self._waiting[0].pts) <= position + _EARLY_S:
            self.skipped += chosen is not None
            chosen = self._waiting.popleft()
        return chosen

    def clear(self) -> None:
        """Forget everything, since another stream begins."""
        self._waiting.clear()
        self._late.clear()
