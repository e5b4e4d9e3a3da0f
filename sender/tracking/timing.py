"""Constant or variable rate: read from the time stamps, not from what a header claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

__all__ = ["VARIABLE_TICK", "Timing", "measure_timing", "timing_of_stamps"]

VARIABLE_TICK = Fraction(1, 1000)
"""Seconds of a tick where the rate varies; longer ones where a pause asks for them."""
_TICKS = [VARIABLE_TICK * n for n in (1, 2, 5, 10)]
_FAR = 1 << 15  # ticks: the 16-bit stamps of a stream cannot tell a longer pause from a step back
_STANDARD = [Fraction(n) for n in (8, 10, 12, 12.5, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120)]
_STANDARD += [Fraction(n * 1000, 1001) for n in (15, 24, 30, 48, 60, 120)]
_MAX_RATE = 1000
_DISTINCT = 0.8  # part of the stamps that must be different, or they are not believed


@dataclass(frozen=True, slots=True)
class Timing:
    """When the frames of a video are shown.

    Attributes:
        fps: frames a second; the mean where the rate varies.
        constant: whether frame k is shown at k / fps.
        frames: how many the file's packets promise; for the progress bar and rate control.
        duration_s: from the first frame to the end of the last.
        longest_s: the longest time from one frame to the next, where the rate varies.
        stamped: whether frames are shown when their stamps say; if not, frame k is at k / fps.
    """

    fps: Fraction
    constant: bool
    frames: int
    duration_s: Fraction
    longest_s: Fraction = Fraction(0)
    stamped: bool = True

    @property
    def time_base(self) -> Fraction:
        """Seconds of a tick: a frame where the rate is constant, else a millisecond, or up to ten
        where a pause is longer than a stream can say in milliseconds.
        """
        if self.constant:
            return 1 / self.fps
        fits = (tick for tick in _TICKS if self.longest_s < tick * (_FAR - 1))
        return next(fits, _TICKS[-1])

    def ticks(self, seconds: Fraction) -> int:
        """Time in whole ticks."""
        return round(seconds / self.time_base)


def measure_timing(
    stamps: Sequence[int | None], tick: Fraction, claimed: Fraction | None = None
) -> Timing:
    """Timing of a video from the presentation stamps of its packets.

    Args:
        stamps: of each packet, in any order, in ticks; None where it has none.
        tick: seconds of a tick.
        claimed: the header's rate; believed where stamps do not tell.
    """
    known = [stamp for stamp in stamps if stamp is not None]
    distinct = len(set(known))
    if distinct < 2 or distinct < _DISTINCT * len(known):
        # A raw stream has no stamps, and a broken file the same one again and again.
        fps = _rate_of_repeated(known, tick) or _tame(Fraction(claimed or 25))
        return Timing(fps, True, len(stamps), len(stamps) / fps, stamped=False)
    timing = timing_of_stamps(known, tick, claimed)
    if len(known) == len(stamps):
        return timing
    rate = _tame(Fraction(claimed or timing.fps))
    constant = _on_grid(known, tick, rate)
    duration = max(timing.duration_s, len(stamps) / rate)
    counted = constant and stamps[0] is None
    return Timing(rate, constant, len(stamps), duration, timing.longest_s, stamped=not counted)


def _rate_of_repeated(stamps: Sequence[int], tick: Fraction) -> Fraction | None:
    """Frames a second where many stamps are the same; None if they do not tell."""
    times, counts = np.unique(np.asarray(stamps, np.int64), return_counts=True)
    if len(times) < 2:
        return None
    if np.count_nonzero(counts == 1) >= _DISTINCT * len(times):  # the same few again and again
        return timing_of_stamps(times.tolist(), tick).fps
    return _tame(len(stamps) / (int(times[-1] - times[0]) * tick))


def timing_of_stamps(
    stamps: Sequence[int], tick: Fraction, claimed: Fraction | None = None
) -> Timing:
    """Timing from presentation stamps.

    Args:
        stamps: in any order, in ticks.
        tick: seconds of a tick.
        claimed: the header's rate, tried first and used for a single frame.
    """
    times = np.unique(np.asarray(stamps, np.int64))
    count = len(times)
    if count < 2:
        fps = _tame(Fraction(claimed or 25))
        return Timing(fps, True, count, count / fps)
    span = int(times[-1] - times[0]) * tick
    mean = _tame((count - 1) / span)
    candidates = [Fraction(claimed)] if claimed else []
    candidates += sorted(_STANDARD, key=lambda rate: abs(rate - mean))[:2] + [mean]
    for fps in candidates:
        if 0 < fps <= _MAX_RATE and _fits(times, tick, fps):
            return Timing(_tame(fps), True, count, count / _tame(fps))
    longest = int(np.diff(times).max()) * tick
    return Timing(mean, False, count, span + 1 / mean, longest)


def _fits(times: npt.NDArray[np.int64], tick: Fraction, fps: Fraction) -> bool:
    """Whether stamp k lies near k / fps: within a tick's rounding or a tenth of a frame."""
    seconds = (times - times[0]) * float(tick)
    off = np.abs(seconds - np.arange(len(times)) / float(fps))
    return bool(off.max() <= min(max(1.01 * float(tick), 0.1 / float(fps)), 0.45 / float(fps)))


def _on_grid(stamps: Sequence[int], tick: Fraction, fps: Fraction) -> bool:
    """Whether all stamps lie near multiples of a frame, whichever are missing."""
    places = (np.asarray(stamps, np.int64) - min(stamps)) * float(tick * fps)
    return bool(np.abs(places - np.round(places)).max() <= 0.1)


def _tame(fps: Fraction) -> Fraction:
    """A rate that a stream header can carry."""
    return min(max(fps.limit_denominator(1001), Fraction(1, 1000)), Fraction(_MAX_RATE))
