"""Smoothing of the tracked face: still heads stay still, blinks and speech are not delayed.

The One-Euro filter (Casiez, Roussel, Vogel, CHI 2012) is a first-order low pass whose cutoff rises
with speed, so that it holds what stands and follows what moves. Here the head (a similarity) is
filtered first, and then the face relative to it, in groups of points that share one cutoff. Two
things differ from the paper. The speed is averaged over a group, which removes its noise, so that
it needs no low pass of its own. And the cutoff rises with the square of the speed, which separates
movement from noise more sharply. docs/rate.md shows what that gives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ...models.face.mesh import LANDMARKS, LEFT_EYE, MOUTH, REGIONS, RIGHT_EYE
from ...models.face.observation import Observation

__all__ = ["FaceSmoother", "Smoothing"]

Points = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.complex128]
"""Points as complex numbers x + iy: a similarity is then a product and a sum."""

_RIGID = np.array(REGIONS[0])  # nose and eye corners
_LEAST_SIZE = 1e-3
_GAP_S = 0.2  # after a longer gap nothing is known of the movement, and the filter begins again
_LEAST_S = 1e-3


@dataclass(frozen=True, slots=True)
class _Cutoff:
    """Cutoffs in Hz: of a point that stands, and what a speed of one face size a second adds."""

    still: float
    rise: float


_HEAD = _Cutoff(1, 40)
_FACE = _Cutoff(1, 20)
_LIPS = _Cutoff(1, 40)
_LIDS = _Cutoff(1, 160)
_MOUTH = {*MOUTH, *REGIONS[7], *REGIONS[8], *REGIONS[9]}  # lips, corners, chin
_GROUPS: tuple[tuple[_Cutoff, npt.NDArray[np.int64]], ...] = (
    (_FACE, np.array(sorted(set(range(LANDMARKS)).difference(_MOUTH, RIGHT_EYE, LEFT_EYE)))),
    (_LIDS, np.array(RIGHT_EYE)),
    (_LIDS, np.array(LEFT_EYE)),
    (_LIPS, np.array(sorted(_MOUTH))),
)


class _LowPass:
    """Filters points that move together, beginning with their values `first`, `[n]`."""

    def __init__(self, cutoff: _Cutoff, strength: float, first: Numbers) -> None:
        self._still, self._rise = cutoff.still / strength, cutoff.rise / strength**2
        self._value = first

    def push(self, value: Numbers, seconds: float) -> Numbers:
        change = value - self._value
        square = float(np.mean(np.abs(change) ** 2)) / seconds**2
        cutoff = self._still + self._rise * square
        share = 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))  # equation 5 of the paper
        self._value = self._value + share * change
        return self._value


class FaceSmoother:
    """Smooths the landmarks of one face.

    Args:
        strength: above 0. 1 suits the tracker's noise; at 2, movement of twice the size is still
            taken for noise.
        first: float32 `[478, 2]`, the landmarks to begin with.
    """

    def __init__(self, strength: float, first: Points) -> None:
        points = _numbers(first)
        self._centre = points[_RIGID].mean()
        self._shape = points[_RIGID] - self._centre
        self._size = max(float(np.sqrt(np.mean(np.abs(self._shape) ** 2))), _LEAST_SIZE)
        place = np.array([0, 1], np.complex128)
        self._head = _LowPass(_HEAD, strength, place)
        local = (points - self._centre) / self._size
        self._groups = [
            (which, _LowPass(cutoff, strength, local[which])) for cutoff, which in _GROUPS
        ]

    def push(self, landmarks: Points, seconds: float) -> Points:
        """The next landmarks `[478, 2]`, `seconds` (above 0) after the last; smoothed."""
        points = _numbers(landmarks)
        centre = points[_RIGID].mean()
        # Least squares: the similarity that takes the first rigid points to these.
        turn = np.vdot(self._shape, points[_RIGID] - centre) / (len(_RIGID) * self._size**2)
        if abs(turn) < _LEAST_SIZE:  # the face has no extent, so nothing can be relative to it
            return landmarks
        local = (points - centre) / (turn * self._size)
        place = np.array([(centre - self._centre) / self._size, turn])
        shift, turn = self._head.push(place, seconds)
        for which, low_pass in self._groups:
            local[which] = low_pass.push(local[which], seconds)
        points = self._centre + (shift + turn * local) * self._size
        return np.stack([points.real, points.imag], -1).astype(np.float32)


class Smoothing:
    """Steadies what is observed of a stream; a reference keeps the landmarks of its own picture.

    Args:
        strength: see `FaceSmoother`; 0 changes nothing.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self.reset()

    def reset(self) -> None:
        """Another stream."""
        self._smoother: FaceSmoother | None = None
        self._seconds = 0.0

    def push(self, seen: Observation, *, anew: bool = False) -> Observation:
        """Add `steady` landmarks to the next observation.

        The filter begins again after a gap in the observations, and with `anew`, which tells that
        the scene or the person is another one.
        """
        if not self._strength:
            return seen
        passed, self._seconds = seen.seconds - self._seconds, seen.seconds
        if self._smoother is None or anew or not 0 <= passed <= _GAP_S:
            self._smoother = FaceSmoother(self._strength, seen.landmarks)
            return seen
        return replace(seen, steady=self._smoother.push(seen.landmarks, max(passed, _LEAST_S)))


def _numbers(points: Points) -> Numbers:
    return points[..., 0] + 1j * points[..., 1].astype(np.float64)
