"""Does the mouth move with the sound? A correlation that needs no network.

This is no measure of lip sync as people see it: a voice tells little about how far a mouth
opens. SyncNet (`syncnet.py`) measures that, where its weights are at hand.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...models.mel import HOP, SAMPLE_RATE, log_mel
from .base import Pair
from .faces import openings

__all__ = ["MouthAudioCorrelation", "lagged_correlation", "voice_level"]

Series = npt.NDArray[np.float64]

# Mel bands of about 250 Hz to 2.3 kHz, where vowels have their first two formants.
_VOICE = slice(8, 45)
_HALF_WINDOW = 5  # steps of 10 ms to each side of a frame
_MAX_LAG_S = 0.2


def voice_level(pcm: npt.NDArray[np.float32], fps: Fraction, frames: int) -> Series:
    """Loudness of the voice around each frame: mean log-mel energy of 0.1 s and 250–2300 Hz.

    Args:
        pcm: float32 mono `[n]`, 16 kHz; frame 0 is shown at its start.
        fps: frames a second.
        frames: how many.

    Returns:
        `[frames]`; NaN where the sound does not reach.
    """
    energy = log_mel(pcm)[:, _VOICE].mean(1, dtype=np.float64)
    total = np.concatenate([[0.0], np.cumsum(energy)])
    at = np.rint(np.arange(frames) * float(SAMPLE_RATE / HOP / fps)).astype(int)
    low, high = (np.clip(at + side, 0, len(energy)) for side in (-_HALF_WINDOW, _HALF_WINDOW))
    count = (high - low).astype(float)
    return np.where(count > 0, (total[high] - total[low]) / np.maximum(count, 1), np.nan)


def lagged_correlation(first: Series, second: Series, lag: int) -> float:
    """Pearson correlation of `first[t + lag]` and `second[t]`, NaNs left out.

    NaN with fewer than ten pairs, or where one of the two does not change.
    """
    count = len(first) - abs(lag)
    if count < 10:
        return float("nan")
    a, b = first[max(lag, 0) :][:count], second[max(-lag, 0) :][:count]
    known = np.isfinite(a) & np.isfinite(b)
    a, b = a[known], b[known]
    if len(a) < 10 or a.std() < 1e-6 or b.std() < 1e-6:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


class MouthAudioCorrelation:
    """Pearson correlation of the decoded mouth's opening with the loudness of the voice.

    Defined here, for want of SyncNet's weights; not a published figure. Sound and picture of real
    clips are rarely aligned to the frame, and a mouth opens before it sounds: the lag is the one
    at which the *true* mouth correlates best, within 0.2 s to either side, so that a codec cannot
    choose its own. Only the difference from `reference` means something, and over many clips: the
    true mouths of 13 clips have 0.30 ± 0.16 with their own sound, and 0.11 ± 0.14 with that of
    another clip.

    Keeps two numbers a frame.

    Args:
        pcm: the true sound, float32 mono `[n]`, 16 kHz.
        fps: frames a second of the video.
    """

    def __init__(self, pcm: npt.NDArray[np.float32], fps: Fraction) -> None:
        self._pcm, self._fps = pcm, fps
        self._truth: list[float] = []
        self._found: list[float] = []

    def update(self, pair: Pair) -> None:
        """Take the openings of both frames; frames that are passed over count as unknown."""
        for series, face in ((self._truth, pair.truth_face), (self._found, pair.face)):
            series.extend([float("nan")] * (pair.index - len(series)))
            series.append(float(openings(face.landmarks, "mouth")[0]) if face else float("nan"))

    def compute(self) -> float:
        """The decoded mouth's, on [-1, 1]; NaN without sound, or for a mouth that never moves."""
        return self._both()[1]

    def reference(self) -> float:
        """The true mouth's at the same lag: what a perfect codec reaches."""
        return self._both()[0]

    def _both(self) -> tuple[float, float]:
        voice = voice_level(self._pcm, self._fps, len(self._truth))
        truth, found = np.array(self._truth), np.array(self._found)
        reach = round(_MAX_LAG_S * float(self._fps))
        tried = {lag: lagged_correlation(truth, voice, lag) for lag in range(-reach, reach + 1)}
        known = {lag: value for lag, value in tried.items() if np.isfinite(value)}
        if not known:
            return float("nan"), float("nan")
        best = max(known, key=lambda lag: known[lag])
        return known[best], lagged_correlation(found, voice, best)
