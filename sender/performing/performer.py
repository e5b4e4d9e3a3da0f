"""`Performer`: takes the place of camera and tracker. It makes what they would see of a person in a
photograph who speaks what is heard.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE
from ...models.face.turning import rotation
from ..observed import View
from ..reenactment.sitter import Sitter
from ..reenactment.transfer import lids_down
from .blinks import Blinks
from .lips import Lips, Mouths
from .sway import Sway

__all__ = ["LAG", "Performer"]

Sound = npt.NDArray[np.float32]

_LATE_S = 0.08  # by which a mouth may be late, where the sound that it needs is not there yet
LAG = Fraction(1, 25)
"""Seconds by which frames come after their time, in a call: so much sound a microphone gives at
once."""
_APART_S = 0.06  # from its clock that sound may stand before it is put right
_FLIP = np.diag([1.0, -1.0, -1.0])  # y up, z nearer; mesh: y down, z farther


class Performer:
    """Performs one stream. `hear` may be called from another thread than `view`.

    Args:
        sitter: the person in the photograph.
        mouths: tells movements of mouths from sound.
        seed: of movements and blinks: the same seed gives the same ones.
    """

    def __init__(self, sitter: Sitter, mouths: Mouths, seed: int) -> None:
        self._sitter, self._seed = sitter, seed
        self._lips = Lips(sitter.view.seen.landmarks, mouths)
        self._ahead_s = mouths.lookahead_ms / 1000
        self.reset()

    def reset(self) -> None:
        """Another stream."""
        head, lids = np.random.SeedSequence(self._seed).spawn(2)
        self._sway = Sway(np.random.default_rng(head))
        self._blinks = Blinks(np.random.default_rng(lids))
        self._lips.reset()
        self._came: deque[tuple[Sound, float | None]] = deque()
        self._heard: float | None = None  # the end of what was heard

    def hear(self, pcm: Sound, end: float | None = None) -> None:
        """Take the next piece of sound.

        Args:
            pcm: float32 `[n]`, mono, 16 kHz.
            end: time of its last sample in seconds; None if it continues the sound before, whose
                very first sample belongs to time 0.
        """
        self._came.append((pcm, end))

    def view(self, seconds: float) -> View:
        """What is to be seen at a time, not earlier than the last one asked for: the photograph,
        and landmarks that moved (`Observation.steady`).
        """
        while self._came:
            self._listen(*self._came.popleft())
        head, swayed = self._sitter.head, self._sway.at(seconds)
        turn = _FLIP @ rotation(swayed.yaw, swayed.pitch, swayed.roll) @ _FLIP @ head.rotation
        local = lids_down(head.local, self._blinks.at(seconds))
        shift = np.array([swayed.x, swayed.y])
        flat = swayed.nearer * (local @ turn.T)[:, :2] + shift
        landmarks = np.asarray(head.centre + head.size * flat, np.float32)
        seen = replace(
            self._sitter.view.seen,
            seconds=seconds,
            steady=self._lips.moved(landmarks, self._mouth_at(seconds)),
            depth=None,
        )
        return replace(self._sitter.view, seen=seen)

    def _mouth_at(self, seconds: float) -> float:
        """The time whose mouth a frame shows: its own, or a little before, in a call, where the
        sound that it needs has not come yet.
        """
        known = 0.0 if self._heard is None else self._heard - self._ahead_s
        return min(seconds, max(known, seconds - _LATE_S))

    def _listen(self, pcm: Sound, end: float | None) -> None:
        length = len(pcm) / SAMPLE_RATE
        if not length:
            return
        begins = (self._heard or 0.0) if end is None else end - length
        anew = self._heard is None or abs(begins - self._heard) > _APART_S
        if not anew and self._heard is not None:
            begins = self._heard  # pieces of a microphone come a little early or late
        self._lips.hear(pcm, begins, anew=anew)
        self._heard = begins + length
