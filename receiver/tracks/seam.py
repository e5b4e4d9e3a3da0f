"""`Seam`: lets the base layer come and go without a jump in the picture."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from ..outputs import Frame
from .base import BasePicture

__all__ = ["Seam", "UsedBase"]

_COMES = 1 / 5
"""How much more the base layer is trusted from one picture to the next, where it comes back."""
_GOES = 1 / 4
"""How much less its last picture is trusted from one picture to the next, where it is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class UsedBase:
    """The part of the base layer that one picture uses.

    Attributes:
        picture: uint8 RGB `[H, W, 3]`.
        age: frames since it was coded.
        trust: how much it counts, above 0 and at most 1.
    """

    picture: Frame
    age: int
    trust: float


class Seam:
    """Says how much the base layer counts in each picture of a stream.

    Args:
        frames: the number of frames in a tick of the stream.
    """

    def __init__(self, frames: Fraction) -> None:
        self._frames = frames
        self._trust: float | None = None  # None before the first picture
        self._last: BasePicture | None = None

    def next(self, base: BasePicture | None, ticks: int) -> UsedBase | None:
        """Say what the next picture uses.

        Args:
            base: the picture of the base layer at its time; None if there is none.
            ticks: its time in ticks.

        Returns:
            What is used of the base layer. If it is missing, its last picture is still used a
            little, in a few pictures. At the very beginning it counts fully at once.
        """
        if base is not None:
            self._trust = 1.0 if self._trust is None else min(self._trust + _COMES, 1.0)
            self._last = base
        else:
            self._trust = (self._trust or 0.0) - _GOES
        if self._last is None or self._trust < _GOES / 2:  # nothing is left, but for rounding
            self._trust, self._last = 0.0, None
            return None
        age = max(round((ticks - self._last.ticks) * self._frames), 0)
        return UsedBase(self._last.picture, age, self._trust)
