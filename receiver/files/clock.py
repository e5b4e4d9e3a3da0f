"""`FileClock`: places pictures and sound of a stream in a video file, without endless pauses.

Times in a stream may jump: it was joined in the middle, two recordings follow each other, or the
bytes are hostile. A jump of a year must not become a year of silence on the disk.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from ...codec.stream import StreamHeader

__all__ = ["LONGEST_PAUSE", "FileClock"]

LONGEST_PAUSE = 60
"""Seconds without picture and sound that a file keeps. A longer pause is left out."""
_PAUSES = 3600
"""Seconds that all pauses together may last, or ten times as long as what is seen and heard. From
then on pauses of more than `_SHORT` seconds are left out: a few bytes make a pause of a minute."""
_TIMES, _SHORT = 10, 1
_LATE_START = 1
"""A stream that begins later than this, in seconds, was joined in the middle and moves to 0."""
_REMEMBERED = 4


@dataclass(slots=True)
class _Stretch:
    """A part of a stream without long pauses.

    Attributes:
        header: of the stream.
        start, end: time in the stream, in seconds.
        offset: what is subtracted from a time in the stream.
    """

    header: StreamHeader
    start: Fraction
    end: Fraction
    offset: Fraction


class FileClock:
    """Gives each picture and each piece of sound its time in the file.

    Sound comes earlier than the pictures of the same time. So a few stretches are remembered, and
    both tracks of each move by the same offset.

    Args:
        longest_pause: seconds without picture and sound that are kept; a longer pause is left out.

    Attributes:
        joints: number of pauses that were left out, and of changes to another stream.
        end: time in the file at which everything placed so far has ended, in seconds.
    """

    def __init__(self, longest_pause: int = LONGEST_PAUSE) -> None:
        self._longest = longest_pause
        self._shown = self._paused = Fraction(0)  # seconds
        self._stretches: deque[_Stretch] = deque(maxlen=_REMEMBERED)
        self.joints = 0
        self.end = Fraction(0)

    def place(self, header: StreamHeader, pts: Fraction, duration: Fraction) -> Fraction:
        """Time in the file of something that begins at `pts` in the stream, all in seconds."""
        stretch = self._stretch(header, pts)
        self._shown += duration
        self._paused += max(pts - stretch.end, Fraction(0))
        stretch.start = min(stretch.start, pts)
        stretch.end = max(stretch.end, pts + duration)
        placed = pts - stretch.offset
        self.end = max(self.end, placed + duration)
        return placed

    def _stretch(self, header: StreamHeader, pts: Fraction) -> _Stretch:
        longest = self._longest if self._paused < _PAUSES + _TIMES * self._shown else _SHORT
        for stretch in reversed(self._stretches):
            near = stretch.start - longest <= pts <= stretch.end + longest
            if near and stretch.header == header:
                return stretch
        if self._stretches:
            self.joints += 1
            offset = pts - self.end
        else:
            offset = pts if pts > _LATE_START else Fraction(0)
        self._stretches.append(_Stretch(header, pts, pts, offset))
        return self._stretches[-1]
