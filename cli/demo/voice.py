"""A generated voice, with vowels and pauses like speech, and how far the mouth is open.

It is a sum of harmonics of a gliding pitch, shaped by moving formants, as a vocal tract shapes
glottal pulses (Fant 1960; formants after Peterson and Barney 1952, female speakers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE

__all__ = ["Voice", "make_voice"]

_PITCH = 195.0
_BANDWIDTHS = (80.0, 110.0, 170.0)
# First three formants in Hz, and how far the jaw drops, for each vowel.
_VOWELS = (
    (850.0, 1220.0, 2810.0, 1.0),  # a
    (610.0, 2330.0, 2990.0, 0.65),  # e
    (310.0, 2790.0, 3310.0, 0.3),  # i
    (590.0, 920.0, 2710.0, 0.7),  # o
    (370.0, 950.0, 2670.0, 0.3),  # u
)

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voice:
    """Sound, and the movement of the mouth that belongs to it.

    Attributes:
        pcm: float32 mono `[n]` at 16 kHz.
        opening: `[n]`, how far the mouth is open at each sample, from 0 to 1.
    """

    pcm: npt.NDArray[np.float32]
    opening: Array


def make_voice(seconds: float, rng: np.random.Generator) -> Voice:
    """Make a voice of a length in seconds that begins and ends with silence."""
    count = round(seconds * SAMPLE_RATE)
    time = np.arange(count) / SAMPLE_RATE
    level, opening = np.zeros(count), np.zeros(count)
    formants = [np.full(count, value) for value in _VOWELS[1][:3]]
    noise = np.zeros(count)
    at, left = 0.35, int(rng.integers(4, 8))
    while at < seconds - 0.45:
        length = float(rng.uniform(0.14, 0.26))
        vowel = _VOWELS[int(rng.integers(len(_VOWELS)))]
        loud = float(rng.uniform(0.65, 1.0))
        bump = _bump(time, at, length)
        level = np.maximum(level, loud * bump)
        opening = np.maximum(opening, loud * vowel[3] * bump)
        near = np.clip(_bump(time, at - 0.03, length + 0.06) * 2, 0, 1)
        formants = [f + near * (v - f) for f, v in zip(formants, vowel, strict=False)]
        if rng.random() < 0.5:  # a hiss before the vowel: s, sh, t
            noise += _bump(time, at - 0.07, 0.07) * float(rng.uniform(0.05, 0.14))
        at, left = at + length + float(rng.uniform(-0.02, 0.06)), left - 1
        if left == 0:  # a breath
            at, left = at + float(rng.uniform(0.3, 0.55)), int(rng.integers(4, 8))
    pitch = _PITCH * (1 + 0.10 * np.sin(2.1 * time) + 0.05 * np.sin(7.3 * time + 1) - 0.01 * time)
    voiced = _harmonics(pitch, formants) * level
    hiss = np.diff(rng.standard_normal(count + 1)) * noise
    pcm = 0.5 * voiced / max(float(np.abs(voiced).max()), 1e-6) + hiss
    return Voice(np.clip(pcm, -1, 1).astype(np.float32), opening)


def _bump(time: Array, start: float, length: float) -> Array:
    """A smooth bump: 0 outside of the interval, 1 in its middle."""
    phase = np.clip((time - start) / length, 0, 1)
    return np.asarray(np.sin(np.pi * phase) ** 1.2, np.float64)


def _harmonics(pitch: Array, formants: list[Array]) -> Array:
    """Sum of all harmonics below 7 kHz, shaped by the formants."""
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    result = np.zeros(len(pitch))
    for number in range(1, int(7000 / pitch.max()) + 1):
        frequency = number * pitch
        gain = np.zeros(len(pitch))
        for formant, width, share in zip(formants, _BANDWIDTHS, (1.0, 0.6, 0.3), strict=True):
            gain += share / np.sqrt(1 + ((frequency - formant) / width) ** 2)
        result += gain * np.sin(number * phase) / number**0.7
    return result
