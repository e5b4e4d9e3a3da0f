"""Another voice, another microphone, another pace: how the sound of samples is varied.

All of it happens on log-mel steps, where it is cheap. There are few people to learn from, and
without this the network knows each of them by the voice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..mel import MEL_BANDS, SILENCE

__all__ = ["SoundAugmentation", "at_pace", "varied"]

Array = npt.NDArray[np.float32]
_LOW_HZ, _HIGH_HZ = 50.0, 8000.0  # of the mel bands (`models.mel`)
_WARPS = 50  # a warp is rounded to this part of 1
_LOUD = 80  # percentile of the power of steps that noise is measured against


@dataclass(frozen=True)
class SoundAugmentation:
    """How much the sound is varied.

    Attributes:
        pace: largest change of speed, of sound and mouth alike.
        voice: largest change of all frequencies, as of the length of the vocal tract.
        noisy: probability of noise, at 5 to 35 dB below the voice.
        colour: spread of the gain over the bands, as of microphones; 0.4 is 10 dB.
        gain: largest change of loudness; 0.4 is 10 dB.
        deaf: probability that a piece of up to 0.3 s becomes silent, as after a loss.
    """

    pace: float = 0.15
    voice: float = 0.12
    noisy: float = 0.6
    colour: float = 0.12
    gain: float = 0.3
    deaf: float = 0.1


def varied(steps: Array, how: SoundAugmentation, rng: np.random.Generator) -> Array:
    """Log-mel steps `[n, 80]` of another voice, in another place."""
    steps = steps @ _warp(round(rng.uniform(1 - how.voice, 1 + how.voice) * _WARPS))
    power = 10 ** ((steps - 1) * 2.5)
    if rng.random() < how.noisy:
        slope = np.exp(rng.uniform(-3, 0) * np.linspace(0, 1, MEL_BANDS))
        loud = np.percentile(power.mean(1), _LOUD) * 10 ** (-rng.uniform(5, 35) / 10)
        power = power + slope / slope.mean() * loud * rng.exponential(1, power.shape)
    knots = rng.normal(0, how.colour, 6)
    gain = np.interp(np.arange(MEL_BANDS), np.linspace(0, MEL_BANDS - 1, 6), knots)
    gain = gain + rng.uniform(-how.gain, how.gain)
    steps = np.maximum(np.log10(np.maximum(power, 1e-12)) / 2.5 + 1 + gain, SILENCE)
    if rng.random() < how.deaf:
        start = rng.integers(len(steps))
        steps[start : start + rng.integers(4, 31)] = SILENCE
    return np.asarray(steps, np.float32)


def at_pace(values: Array, positions: npt.NDArray[np.floating], outside: float | None) -> Array:
    """Values `[n, …]` at fractional positions, linearly interpolated.

    Outside of the values there is `outside`, or the nearest value if that is None.
    """
    low = np.floor(positions).astype(np.int64)
    part = (positions - low).astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    ends = [values[np.clip(i, 0, len(values) - 1)] for i in (low, low + 1)]
    if outside is not None:
        for end, i in zip(ends, (low, low + 1), strict=True):
            end[(i < 0) | (i >= len(values))] = outside
    return np.asarray(ends[0] * (1 - part) + ends[1] * part, np.float32)


@lru_cache(maxsize=64)
def _warp(numerator: int) -> Array:
    """Matrix `[80, 80]` that moves all frequencies by a factor of `numerator / _WARPS`."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (_LOW_HZ, _HIGH_HZ))
    mels = np.linspace(low, high, MEL_BANDS + 2)[1:-1]
    hertz = 700 * (10 ** (mels / 2595) - 1) * numerator / _WARPS
    position = (2595 * np.log10(1 + hertz / 700) - mels[0]) / (mels[1] - mels[0])
    position = np.clip(position, 0, MEL_BANDS - 1)
    lower = np.floor(position).astype(np.int64)
    part = position - lower
    matrix = np.zeros((MEL_BANDS, MEL_BANDS), np.float32)
    matrix[lower, np.arange(MEL_BANDS)] += 1 - part
    matrix[np.minimum(lower + 1, MEL_BANDS - 1), np.arange(MEL_BANDS)] += part
    return matrix
