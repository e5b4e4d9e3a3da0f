"""The sound before and a little after a frame, as our geometry predictor is given it.

This is the receiver's log-mel (`models.mel`), less the mean of what has been heard so far: a voice
and a microphone have a level and a colour of their own, which say nothing about the mouth.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..mel import HOP, MEL_BANDS, SAMPLE_RATE, SILENCE

__all__ = [
    "AHEAD",
    "LOOKAHEADS",
    "PAST",
    "STEPS",
    "Level",
    "first_step",
    "is_heard",
    "sound_window",
]

Array = npt.NDArray[np.float32]

PAST, AHEAD = 64, 10
STEPS = PAST + AHEAD
"""Steps of 10 ms in a window: 0.64 s before the frame, as far as the network sees back, and 100 ms
after it. A step covers 25 ms; the last one of a window ends before those 100 ms do."""
LOOKAHEADS = (0, 40, 100)
"""Milliseconds after a frame that may be heard; the predictor has an output for each."""
_HEARD = -0.97  # mean over the bands; SILENCE is -1
_PRIOR = 50.0  # steps that the usual level counts for at the beginning
_LONGEST = 3000.0  # steps after which older sound is slowly forgotten


def is_heard(steps: Array) -> npt.NDArray[np.bool_]:
    """Which log-mel steps `[n, 80]` are more than silence: `[n]`."""
    return np.asarray(steps.mean(-1) > _HEARD)


def first_step(seconds: float) -> int:
    """First step of the window of a frame that is shown at this time."""
    return round(seconds * SAMPLE_RATE / HOP) - 1 - PAST


def sound_window(steps: Array, first: int) -> Array:
    """`STEPS` steps of a log-mel `[n, 80]` from step `first` on; silence outside of it."""
    window = np.full((STEPS, MEL_BANDS), SILENCE, np.float32)
    low, high = max(first, 0), min(first + STEPS, len(steps))
    if high > low:
        window[low - first : high - first] = steps[low:high]
    return window


class Level:
    """Mean of what was heard, which is taken from every window.

    Args:
        usual: float32 `[80]`, the level that voices have on average; it counts at first.
    """

    def __init__(self, usual: Array) -> None:
        self._sum = usual.astype(np.float64) * _PRIOR
        self._count = _PRIOR

    def update(self, steps: Array) -> None:
        """Take new log-mel steps `[n, 80]`; silence does not count."""
        heard = steps[is_heard(steps)] if len(steps) else steps
        self._sum += heard.sum(0)
        self._count += len(heard)
        if self._count > _LONGEST:
            self._sum *= _LONGEST / self._count
            self._count = _LONGEST

    @property
    def value(self) -> Array:
        """float32 `[80]`."""
        return np.asarray(self._sum / self._count, np.float32)
