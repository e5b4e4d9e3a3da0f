"""Matched bits: turn a codec's knob until the whole picture costs what it should."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .base import Encoded, Knob

__all__ = ["TOLERANCE", "Match", "match_bits"]

TOLERANCE = 0.01


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest stream found.

    Attributes:
        encoded: that stream.
        reached: within `TOLERANCE` of the target.
        note: why not, where it was not.
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

    The logarithm of the bits is taken as linear in the knob (in its logarithm for a rate)
    between the nearest points on both sides of the target.

    Args:
        encode: codes with a setting of the knob.
        knob: its range.
        target_bits: of the picture, all in.
        seconds: length of the clip.
        known: streams that are there already; they count as points of the search.
    """
    scale = _Scale(knob)
    points = {scale.index(e.setting): e for e in known}
    settled = False
    for _ in range(knob.tries):
        best = _nearest(points, target_bits)
        if best is not None and abs(best.total / target_bits - 1) <= TOLERANCE:
            return Match(best, True)
        index = scale.next_index(points, target_bits, seconds)
        if index is None:
            settled = True
            break
        points[index] = encode(scale.setting(index))
    best = _nearest(points, target_bits)
    if best is None:
        raise ValueError("a search without tries, and nothing known")
    ratio = best.total / target_bits
    if abs(ratio - 1) <= TOLERANCE:
        return Match(best, True)
    reason = _why(scale, points, target_bits, ratio)
    if not settled and reason.startswith("nearest"):
        reason = (
            f"not found in {knob.tries} codings: {100 * (ratio - 1):+.1f} % of the target's bits"
        )
    return Match(best, False, reason)


def _nearest(points: dict[int, Encoded], target: float) -> Encoded | None:
    return min(points.values(), key=lambda e: abs(math.log(max(e.total, 1) / target)), default=None)


def _why(scale: _Scale, points: dict[int, Encoded], target: float, ratio: float) -> str:
    least = min(points.values(), key=lambda e: e.total)
    most = max(points.values(), key=lambda e: e.total)
    if least.total > target:
        return f"its floor: {100 * (ratio - 1):+.1f} % of the target's bits"
    if most.total < target:
        return f"its ceiling: {100 * (ratio - 1):+.1f} % of the target's bits"
    return f"nearest step of {scale.knob.name}: {100 * (ratio - 1):+.1f} % of the target's bits"


class _Scale:
    """The knob as whole numbers; rates are spaced evenly in their logarithm."""

    def __init__(self, knob: Knob) -> None:
        self.knob = knob
        self._rate = knob.slope is None
        self._unit = math.log1p(0.002) if self._rate else knob.step
        self.low, self.high = self.index(knob.low), self.index(knob.high)

    def index(self, setting: float) -> int:
        x = math.log(setting) if self._rate else setting
        return round(x / self._unit)

    def setting(self, index: int) -> float:
        x = index * self._unit
        value = math.exp(x) if self._rate else x
        return min(max(float(f"{value:.6g}"), self.knob.low), self.knob.high)

    def _clamp(self, index: int) -> int:
        return min(max(index, self.low), self.high)

    def next_index(self, points: dict[int, Encoded], target: float, seconds: float) -> int | None:
        """Where to look next; None where nothing new can be nearer."""
        if not points:
            guess = target / seconds if self._rate else self.knob.start
            return self._clamp(self.index(guess))
        rising = self._rate or (self.knob.slope or 0) > 0
        logs = {i: math.log(max(e.total, 1) / target) for i, e in points.items()}
        below = [i for i, x in logs.items() if x < 0]
        above = [i for i, x in logs.items() if x >= 0]
        if below and above:
            # The pair nearest to the crossing; a codec is only roughly monotone.
            a, b = (max(below), min(above)) if rising else (min(below), max(above))
            if (a > b) if rising else (a < b):
                a, b = max(below, key=lambda i: logs[i]), min(above, key=lambda i: logs[i])
            if abs(a - b) <= 1:
                return None
            wanted = a + (b - a) * logs[a] / (logs[a] - logs[b])
            near, far = min(a, b), max(a, b)
            index = min(max(round(wanted), near + 1), far - 1)
        else:
            at = min(logs, key=lambda i: abs(logs[i]))
            step = -logs[at] / self._slope(logs)
            index = at + (round(step * 1.05) or int(math.copysign(1, step)))
            outermost = max(points) if step > 0 else min(points)
            if index in points:  # a codec that is not monotone: its end is yet to be seen
                index = outermost + (index - at)
        index = self._clamp(index)
        if index in points:
            beside = [i for i in (index - 1, index + 1) if i not in points]
            inside = [i for i in beside if self.low <= i <= self.high]
            return inside[0] if below and above and inside else None
        return index

    def _slope(self, logs: dict[int, float]) -> float:
        """Of ln(bits) an index: from the two nearest points, else as the codec says."""
        given = (1.0 if self._rate else float(self.knob.slope or 1)) * self._unit
        if len(logs) < 2:
            return given
        a, b = sorted(sorted(logs, key=lambda i: abs(logs[i]))[:2])
        found = (logs[b] - logs[a]) / (b - a)
        # Near its floor a codec is flat: then the step is long, and the end of the knob decides.
        return given * min(max(found / given, 0.1), 3.0)
