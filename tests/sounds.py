"""Sounds that are no single voice: music, and two people who speak at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facewire.cli.demo.voice import make_voice

Sound = npt.NDArray[np.float32]

RATE = 16_000
_CHORDS = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6))


def one_voice(seconds: float) -> Sound:
    """Somebody who speaks."""
    return make_voice(seconds, np.random.default_rng(1)).pcm


def two_voices(seconds: float) -> Sound:
    """Two people, of whom neither waits for the other."""
    other = make_voice(seconds, np.random.default_rng(7)).pcm
    return np.clip(0.7 * (one_voice(seconds) + np.roll(other, RATE // 4)), -1, 1)


def music(seconds: float) -> Sound:
    """A chord a second, and a beat: 120 strokes of a drum a minute, and a cymbal between them."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.zeros(len(time))
    for number in range(int(np.ceil(seconds))):
        now = (time >= number) & (time < number + 1)
        for tone in _CHORDS[number % len(_CHORDS)]:
            for harmonic in range(1, 6):
                wave = np.sin(2 * np.pi * tone * harmonic * time[now]) / harmonic
                sound[now] += 0.07 * wave * np.exp(-(time[now] - number))
    since = time % 0.5
    sound += 0.4 * np.sin(2 * np.pi * 55 * since) * np.exp(-25 * since)
    since = (time + 0.25) % 0.5
    sound += 0.15 * rng.standard_normal(len(time)) * np.exp(-60 * since)
    return np.clip(sound, -1, 1).astype(np.float32)
