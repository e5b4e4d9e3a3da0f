"""`Loudness`: whether somebody speaks now, above the noise that is always there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE

__all__ = ["Loudness"]

Sound = npt.NDArray[np.float32]

_STEP = SAMPLE_RATE // 100
_KEPT = 400  # steps: 4 s
_SILENCE_DB = -58.0  # of full scale; below, there is no voice whatever the noise
_ABOVE_DB, _SURE_DB = 5.0, 14.0  # above the noise, where a voice is possible and where it is sure
_RISE_DB_S = 1.5  # the noise is taken to be no louder than that after a second without a pause
_ATTACK_S, _RELEASE_S = 0.04, 0.2
_FADE_S = 0.3  # after the end of all sound


class Loudness:
    """Hears sound piece by piece, and tells for each time how sure it is that somebody speaks.

    What goes on for half a minute without a pause, as the noise of a fan, is no voice any more.
    """

    def __init__(self) -> None:
        self._sums = np.zeros(0, np.float32)  # samples of a step that is not whole yet
        self._first = 0  # the step that `_voiced` begins with
        self._voiced: list[float] = []
        self._noise_db = _SILENCE_DB
        self._now = 0.0

    def restart(self, seconds: float) -> None:
        """The sound goes on at another time; what is known of the noise stays."""
        self._first, self._voiced = round(seconds * SAMPLE_RATE / _STEP), []
        self._sums = np.zeros(0, np.float32)

    def hear(self, pcm: Sound) -> None:
        """Take the next piece of sound, float32 `[n]`, mono, 16 kHz."""
        pcm = np.concatenate([self._sums, pcm])
        whole = len(pcm) // _STEP
        self._sums = pcm[whole * _STEP :]
        power = np.square(pcm[: whole * _STEP].reshape(whole, _STEP)).mean(1)
        for level in (10 * np.log10(power + 1e-10)).tolist():
            self._voiced.append(self._push(level))
        old = max(0, len(self._voiced) - _KEPT)
        self._first += old
        del self._voiced[:old]

    def _push(self, level_db: float) -> float:
        step_s = _STEP / SAMPLE_RATE
        self._noise_db = max(min(level_db, self._noise_db + _RISE_DB_S * step_s), _SILENCE_DB)
        above = (level_db - self._noise_db - _ABOVE_DB) / (_SURE_DB - _ABOVE_DB)
        sure = min(max(above, 0.0), 1.0)
        slow = _ATTACK_S if sure > self._now else _RELEASE_S
        self._now += (1 - np.exp(-step_s / slow)) * (sure - self._now)
        return float(self._now)

    def voiced(self, seconds: float) -> float:
        """How sure it is that somebody speaks at a time, 0 to 1; 0 where nothing was heard."""
        if not self._voiced:
            return 0.0
        step, last = round(seconds * SAMPLE_RATE / _STEP) - self._first, len(self._voiced) - 1
        after = max(step - last, 0) * _STEP / SAMPLE_RATE  # the sound has stopped
        return self._voiced[min(step, last)] * max(1 - after / _FADE_S, 0.0) if step >= 0 else 0.0
