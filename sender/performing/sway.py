"""`Sway`: how a head moves by itself while its owner talks.

Each of six numbers, three angles and the place and size of the head, is a Gaussian process of its
own: noise that is forgotten within seconds (Ornstein and Uhlenbeck 1930), and behind it a low pass,
so that a head has no jerks. Spreads and times are measured in clips of `train`
(`python -m benchmarks.performing`, docs/speak.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["AXES", "STEP_S", "Axis", "Sway", "Swayed"]

Array = npt.NDArray[np.float64]

STEP_S = 0.02
"""Seconds of a step; between steps heads move evenly."""
_FARTHEST = 3.0  # spreads from rest, which no axis ever reaches
_LONGEST_S = 10.0  # of one step: a longer pause is skipped


@dataclass(frozen=True, slots=True)
class Axis:
    """One number of a head's place.

    Attributes:
        spread: its standard deviation.
        slow_s: time constant in seconds after which it is forgotten.
        smooth_s: that of the low pass behind.
    """

    spread: float
    slow_s: float
    smooth_s: float


AXES = (
    Axis(2.8, 0.55, 0.11),
    Axis(2.8, 0.55, 0.08),
    Axis(2.3, 1.00, 0.14),
    Axis(0.6, 1.22, 0.07),
    Axis(0.32, 0.40, 0.08),
    Axis(0.0086, 0.24, 0.06),
)
"""Yaw, pitch and roll in degrees, x (to the right) and y (down) in cm of the canonical face, and
the logarithm of the size; of the calmest quarter of 54 people."""


@dataclass(frozen=True, slots=True)
class Swayed:
    """Where a head is, relative to where it was at first.

    Attributes:
        yaw, pitch, roll: in radians, as in `models.face.turning.rotation`.
        x, y: in cm of the canonical face, to the right and down.
        nearer: ratio of the sizes.
    """

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    nearer: float


class Sway:
    """The movement of one head. It begins at rest and is bounded for as long as it lasts.

    Args:
        random: of this head.
        axes: see `AXES`.
    """

    def __init__(self, random: np.random.Generator, axes: tuple[Axis, ...] = AXES) -> None:
        self._random = random
        slow = np.array([axis.slow_s for axis in axes])
        smooth = np.array([axis.smooth_s for axis in axes])
        self._keep, self._follow = np.exp(-STEP_S / slow), 1 - np.exp(-STEP_S / smooth)
        # The spread of a low pass behind an autoregression, both of first order.
        share = self._follow / (2 - self._follow)
        both = self._keep * (1 - self._follow)
        share *= (1 + both) / (1 - both)
        self._spread = np.array([axis.spread for axis in axes])
        self._noise = np.sqrt((1 - self._keep**2) / share)
        self._driven = np.zeros(len(axes))
        self._before, self._after = np.zeros(len(axes)), np.zeros(len(axes))
        self._step = 0  # the one that `_after` belongs to

    def at(self, seconds: float) -> Swayed:
        """Where the head is at a time, which is not earlier than the last one asked for."""
        place = max(seconds / STEP_S, self._step - 1)
        steps = math.floor(place) + 1 - self._step
        self._step += max(0, steps - round(_LONGEST_S / STEP_S))
        while self._step < place:
            self._advance()
        part = 1 - (self._step - place)
        now = self._before + min(max(part, 0.0), 1.0) * (self._after - self._before)
        found = _FARTHEST * np.tanh(now / _FARTHEST) * self._spread
        yaw, pitch, roll = np.radians(found[:3]).tolist()
        return Swayed(yaw, pitch, roll, float(found[3]), float(found[4]), math.exp(found[5]))

    def _advance(self) -> None:
        """Go on by a step, in spreads."""
        noise = self._random.standard_normal(len(self._driven))
        self._driven = self._keep * self._driven + self._noise * noise
        self._before = self._after
        self._after = self._before + self._follow * (self._driven - self._before)
        self._step += 1
