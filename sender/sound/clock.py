"""`SoundClock`: where on the stream's clock each piece of sound belongs.

A microphone's pieces come late now and then, its own clock runs faster or slower than the
computer's, and it stops while it is muted. Sound that is late only once is left as it is. What
stays apart from the clock is put right in steps of 20 ms.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE

__all__ = ["TICK", "Fitted", "SoundClock"]

Sound = npt.NDArray[np.float32]

TICK = SAMPLE_RATE // 50
"""Samples of a tick, 20 ms."""
_APART = TICK * 3 // 4  # 15 ms: sound that stays so far from the clock is put right
_FAR = TICK * 3 // 2  # 30 ms: even if it is not quiet
_HOLE = SAMPLE_RATE // 10  # 100 ms late: no jitter, but sound that is missing
_PAUSE = 2 * SAMPLE_RATE // 5  # 400 ms late: the sound begins anew
_WATCHED = SAMPLE_RATE // 2  # samples of time over which lateness is watched
_QUIET = 0.01  # root mean square


@dataclass(frozen=True, slots=True)
class Fitted:
    """What to code.

    Attributes:
        pcm: the sound, with silence put in or sound left out.
        begins: the sample at which it begins anew, a multiple of `TICK`; None if it continues.
    """

    pcm: Sound
    begins: int | None = None


class SoundClock:
    """Fits sound to the clock; one a stream.

    Attributes:
        position: samples from time 0 to the end of the sound so far.
    """

    def __init__(self) -> None:
        self.position = 0
        self._errors: deque[tuple[int, int]] = deque()  # when, and samples late
        self._earliest: int | None = None  # where sound may begin anew, if it is to

    def fit(self, pcm: Sound, end: Fraction) -> Fitted:
        """Fit a piece whose last sample belongs to `end` (seconds)."""
        now = round(end * SAMPLE_RATE)
        early = max(0, len(pcm) - now)  # before time 0
        pcm = pcm[early:]
        if not len(pcm):
            return Fitted(pcm)
        error = now - len(pcm) - self.position
        if error >= _PAUSE or self._earliest is not None:
            return self._anew(pcm, now)
        steady = self._steady(now, error)
        move = 0
        if error >= _HOLE or error <= -_FAR:
            move = error
        elif steady >= _FAR or (steady >= _APART and _is_quiet(pcm)):
            move = TICK
        elif steady <= -_APART and _is_quiet(pcm):
            move = -TICK
        move = int(move / TICK) * TICK
        if move > 0:
            pcm = np.concatenate([np.zeros(move, np.float32), pcm])
        elif move < 0:
            pcm = pcm[-move:]
        if move:
            self._errors.clear()
        self.position += len(pcm)
        return Fitted(pcm)

    def stop(self, earliest: int) -> None:
        """The sound has stopped: let the next piece begin anew, at this sample or later."""
        self._earliest = earliest

    def _anew(self, pcm: Sound, now: int) -> Fitted:
        begins = round((now - len(pcm)) / TICK) * TICK
        before = max(0, (self._earliest or 0) - begins)
        pcm, begins = pcm[before:], begins + before
        if len(pcm):
            self._errors.clear()
            self._earliest, self.position = None, begins + len(pcm)
            return Fitted(pcm, begins)
        return Fitted(pcm)

    def lateness(self, end: Fraction) -> int:
        """Samples that are missing at `end` (seconds)."""
        return round(end * SAMPLE_RATE) - self.position

    def _steady(self, now: int, error: int) -> int:
        """The least that sound was late by in the last half second; 0 if that is not known yet."""
        self._errors.append((now, error))
        while self._errors[0][0] < now - _WATCHED:
            self._errors.popleft()
        if now - self._errors[0][0] < _WATCHED * 3 // 4:
            return 0
        return min([error for _, error in self._errors])


def _is_quiet(pcm: Sound) -> bool:
    return float(np.sqrt(np.mean(np.square(pcm)))) < _QUIET
