"""`PersonFit`: what one person's mouth does that the network does not know, learned in closed form.

A receiver has the sound and the motion of all that arrived. A ridge regression from the network's
state to the rest of the movement, which the network got wrong, is kept up to date by adding each
frame to its normal equations. They are solved again for each second that was learned from.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..face.head import MOUTH_POINTS

__all__ = ["GUESSED", "PersonFit"]

Array = npt.NDArray[np.float32]

GUESSED = 25.0
"""Frames that an average mouth counts for that was guessed from one picture."""
_RIDGE = 2000.0  # frames' worth of evidence that there is nothing to correct (docs/talking.md)
_SOLVE_EVERY = 25  # frames
_FORGET = 1 - 1 / 7500  # of each frame: what was seen five minutes ago counts a third


class PersonFit:
    """The correction for one person; it begins with none.

    Args:
        channels: of the network's state.
    """

    def __init__(self, channels: int) -> None:
        size, flat = channels + 1, 2 * MOUTH_POINTS
        self._gram = np.zeros((size, size))
        self._moment = np.zeros((size, flat))
        self._fit = np.zeros((channels, flat), np.float32)
        self._centre = np.zeros(channels, np.float32)
        self._mouth = np.zeros(flat)  # sum of the mouths
        self._waiting = 0.0

    @property
    def frames(self) -> float:
        """How many frames were learned from, forgotten ones not counted."""
        return float(self._gram[-1, -1])

    def update(self, state: Array, mouth: Array, movement: Array, weight: float = 1.0) -> None:
        """Take one frame.

        Args:
            state: of the network, float32 `[C]`.
            mouth: as it was, in head coordinates, float32 `[40, 2]`.
            movement: as the network alone predicts it, float32 `[40, 2]`.
            weight: how many frames it stands for, at 25 frames a second.
        """
        x = np.append(state, 1.0).astype(np.float64)
        wrong = (mouth - movement).ravel().astype(np.float64)
        kept = _FORGET**weight
        self._gram *= kept
        self._gram += weight * np.outer(x, x)
        self._moment *= kept
        self._moment += weight * np.outer(x, wrong)
        self._mouth = self._mouth * kept + weight * mouth.ravel()
        self._waiting += weight
        if self._waiting >= _SOLVE_EVERY:
            self.solve()

    def solve(self) -> None:
        """Bring the correction up to date. At least one frame was taken."""
        self._waiting = 0.0
        count = self.frames
        mean_x, mean_y = self._gram[:-1, -1] / count, self._moment[-1] / count
        spread = self._gram[:-1, :-1] - count * np.outer(mean_x, mean_x)
        both = self._moment[:-1] - count * np.outer(mean_x, mean_y)
        ridge = _RIDGE * (np.trace(spread) / count / len(spread) + 1e-9)
        fit = np.linalg.solve(spread + ridge * np.eye(len(spread)), both)
        self._fit, self._centre = fit.astype(np.float32), mean_x.astype(np.float32)

    def correction(self, state: Array) -> Array:
        """What is added to the network's movement: state `[C]` → float32 `[40, 2]`."""
        moved = (state - self._centre) @ self._fit
        return np.asarray(moved.reshape(MOUTH_POINTS, 2), np.float32)

    def average(self, expected: Array, frames: float = GUESSED) -> Array:
        """The average mouth of what was seen, float32 `[40, 2]`.

        Args:
            expected: the average that is expected before anything was seen, `[40, 2]`.
            frames: how many frames it counts for.
        """
        total = self._mouth.reshape(MOUTH_POINTS, 2) + frames * expected
        return np.asarray(total / (self.frames + frames), np.float32)

    @property
    def fit(self) -> tuple[Array, Array]:
        """What the correction is made of: the states' centre `[C]` and the map `[C, 80]`."""
        return self._centre, self._fit
