"""Constant or variable rate: read from the time stamps, not from what a header claims."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from ...codec.errors import MediaError

__all__ = ["VARIABLE_TICK", "Timing", "measure_timing", "timing_of_stamps"]

VARIABLE_TICK = Fraction(1, 1000)
"""Seconds of a tick where the rate varies."""
_STANDARD = [Fraction(n) for n in (8, 10, 12, 12.5, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120)]
_STANDARD += [Fraction(n * 1000, 1001) for n in (15, 24, 30, 48, 60, 120)]
_MAX_RATE = 1000


@dataclass(frozen=True, slots=True)
class Timing:
    """When the frames of a video are shown.

    Attributes:
        fps: frames a second; the mean where the rate varies.
        constant: whether frame k is shown at k / fps.
        frames: how many the file's packets promise; for the progress bar and rate control.
        duration_s: from the first frame to the end of the last.
    """

    fps: Fraction
    constant: bool
    frames: int
    duration_s: Fraction

    @property
    def time_base(self) -> Fraction:
        """Seconds of a tick: a frame where the rate is constant, else a millisecond."""
        return 1 / self.fps if self.constant else VARIABLE_TICK

    def ticks(self, seconds: Fraction) -> int:
        """Time in whole ticks."""
        return round(seconds / self.time_base)


def measure_timing(container: InputContainer, stream: Any) -> Timing:
    """Read all time stamps of a video stream, without decoding.

    Raises:
        MediaError: the file breaks off with an error.
    """
    stamps: list[int] = []
    packets = 0
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            packets += 1
            if packet.pts is not None:
                stamps.append(packet.pts)
    except av.error.FFmpegError as error:
        if not packets:
            raise MediaError(f"the video cannot be read: {error}") from error
    claimed = stream.average_rate or stream.guessed_rate
    if len(stamps) < packets:  # raw streams have no stamps: their rate is what they claim
        fps = _tame(Fraction(claimed or 25))
        return Timing(fps, True, packets, packets / fps)
    return timing_of_stamps(stamps, Fraction(stream.time_base or 1), claimed)


def timing_of_stamps(stamps: list[int], tick: Fraction, claimed: Fraction | None = None) -> Timing:
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
    return Timing(mean, False, count, span + 1 / mean)


def _fits(times: npt.NDArray[np.int64], tick: Fraction, fps: Fraction) -> bool:
    """Whether stamp k lies near k / fps: within a tick's rounding or a tenth of a frame."""
    seconds = (times - times[0]) * float(tick)
    off = np.abs(seconds - np.arange(len(times)) / float(fps))
    return bool(off.max() <= min(max(1.01 * float(tick), 0.1 / float(fps)), 0.45 / float(fps)))


def _tame(fps: Fraction) -> Fraction:
    """A rate that a stream header can carry."""
    return min(max(fps.limit_denominator(1001), Fraction(1, 1000)), Fraction(_MAX_RATE))
