"""`Resampler`: changes the rate of sound, piece by piece."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np

from .ports import Sound

__all__ = ["Resampler"]


class Resampler:
    """Changes the rate of a mono sound that comes in pieces.

    Args:
        given: the rate of what comes, in Hz.
        wanted: the rate of what is made, in Hz.
    """

    def __init__(self, given: int, wanted: int) -> None:
        self._given, self._same = given, given == wanted
        self._resampler = av.AudioResampler(format="fltp", layout="mono", rate=wanted)
        self._at = 0

    def push(self, pcm: Sound) -> Sound:
        """Take a piece; returns what is ready, float32 `[n]`. Some samples stay inside."""
        if self._same or not len(pcm):
            return pcm
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(pcm[None], np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = self._given
        frame.time_base = Fraction(1, self._given)
        frame.pts = self._at
        self._at += len(pcm)
        parts = [made.to_ndarray()[0] for made in self._resampler.resample(frame)]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)
