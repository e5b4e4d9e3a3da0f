"""Matched bits: turn a codec's knob until the whole picture costs what it should."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .base import Encoded, Knob

__all__ = ["TOLERANCE", "Match", "match_bits"]

TOLERANCE = 0.01
Errors = dict[int, float]
"""ln(bits / target) of the streams that are known, by the index of their setting."""


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest stream found.

    Attributes:
        encoded: that stream.
        reached: whether it is within `TOLERANCE` of the target.
        note: why not, where it is not.
    """

    encoded: Encoded
    reached: bool
    note: str = ""


def match_bits(
    encode: Callable[[float], Encoded],
    knob: Knob,
    target_bits: float,
    seconds: float,
    known: Iterable[Encoded] = (),
) -> Match:
    """Search the setting whose stream has `target_bits`.

    The logarithm of the bits is taken as linear in the knob (in its logarithm, for a rate) between
    the nearest points on both sides of the target: a secant search on whole steps of the knob.

    Args:
        encode: codes with a setting of the knob.
        knob: its range.
        target_bits: bits of the whole picture.
        seconds: length of the clip.
        known: streams that are there already; they count as points of the search.

    Raises:
        ValueError: the knob allows no coding, and nothing is known.
    """
    scale = _Scale(knob)
    points = {scale.index(each.setting): each for each in known}
    index = scale.first_index(target_bits / seconds) if not points else None
    for left in range(knob.tries, -1, -1):
        errors = {i: math.log(max(each.total, 1) / target_bits) for i, each in points.items()}
        if errors:
            best = points[min(errors, key=lambda i: abs(errors[i]))]
            if abs(best.total / target_bits - 1) <= TOLERANCE:
                return Match(best, True)
            index = scale.next_index(errors)
        if index is None or left == 0:
            break
        points[index] = encode(scale.setting(index))
    if not points:
        raise ValueError("a search without tries, and nothing known")
    off = f"{100 * (best.total / target_bits - 1):+.1f} % of the target's bits"
    if min(errors.values()) > 0:
        return Match(best, False, f"its floor: {off}")
    if max(errors.values()) < 0:
        return Match(best, False, f"its ceiling: {off}")
    settled = index is None
    why = f"nearest step of {knob.name}" if settled else f"not found in {knob.tries} codings"
    return Match(best, False, f"{why}: {off}")


class _Scale:
    """The knob as whole numbers; rates are spaced evenly in their logarithm."""

    def __init__(self, knob: Knob) -> None:
        self.knob = knob
        self._rate = knob.slope is None
        self._unit = math.log1p(0.002) if knob.slope is None else knob.step
        self._slope = self._unit * (1.0 if knob.slope is None else knob.slope)  # of ln(bits)
        self._low, self._high = self.index(knob.low), self.index(knob.high)

    def index(self, setting: float) -> int:
        return round((math.log(setting) if self._rate else setting) / self._unit)

    def setting(self, index: int) -> float:
        value = math.exp(index * self._unit) if self._rate else index * self._unit
        return min(max(float(f"{value:.6g}"), self.knob.low), self.knob.high)

    def first_index(self, rate: float) -> int:
        """Where to look first, where nothing is known; `rate` is the target in bit/s."""
        return self._clamp(self.index(rate if self._rate else self.knob.start))

    def next_index(self, errors: Errors) -> int | None:
        """Where to look next; None where nothing new can be nearer."""
        below = {i: error for i, error in errors.items() if error < 0}
        above = {i: error for i, error in errors.items() if error >= 0}
        if below and above:
            return self._between(below, above)
        index = self._clamp(self._beyond(errors))
        return None if index in errors else index

    def _clamp(self, index: int) -> int:
        return min(max(index, self._low), self._high)

    def _between(self, below: Errors, above: Errors) -> int | None:
        """Inside the pair that encloses the target most closely."""
        near_side, far_side = (max, min) if self._slope > 0 else (min, max)
        a, b = near_side(below), far_side(above)
        if (b - a) * self._slope < 0:  # a codec is only roughly monotone: take the nearest two
            a, b = max(below, key=below.__getitem__), min(above, key=above.__getitem__)
        if abs(a - b) <= 1:
            return None
        wanted = a + (b - a) * below[a] / (below[a] - above[b])
        index = min(max(round(wanted), min(a, b) + 1), max(a, b) - 1)
        tried = below.keys() | above.keys()
        free = [i for i in (index, index - 1, index + 1) if i not in tried]
        return next((i for i in free if self._low <= i <= self._high), None)

    def _beyond(self, errors: Errors) -> int:
        """On from the nearest point, a little further than the slope says."""
        at = min(errors, key=lambda i: abs(errors[i]))
        step = -errors[at] / self._steepness(errors)
        index = at + (round(step * 1.05) or int(math.copysign(1, step)))
        if index in errors:  # a codec that is not monotone: its end is yet to be seen
            return (max(errors) if step > 0 else min(errors)) + (index - at)
        return index

    def _steepness(self, errors: Errors) -> float:
        """Change of ln(bits) an index: from the two nearest points, else as the codec says."""
        if len(errors) < 2:
            return self._slope
        a, b = sorted(sorted(errors, key=lambda i: abs(errors[i]))[:2])
        found = (errors[b] - errors[a]) / (b - a)
        # Near its floor a codec is flat: then the step is long, and the end of the knob decides.
        return self._slope * min(max(found / self._slope, 0.1), 3.0)
