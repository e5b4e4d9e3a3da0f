"""Bjøntegaard rates: how many more bits one codec needs than another for the same quality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import bjontegaard
import numpy as np
import numpy.typing as npt

__all__ = ["BdRate", "bd_rate"]

CURVE_POINTS = 4  # Bjøntegaard's own number (ITU-T VCEG-M33)
FEWEST_POINTS = 3
FULL_OVERLAP = 0.75

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BdRate:
    """Bjøntegaard rate.

    Attributes:
        percent: how many more bits than the anchor the codec needs for the same quality, on average
            over the qualities that both reach. Below 0 it needs fewer. None: not computable.
        note: why it is not computable, or with what caution to read it; else empty.
        points: number of points of the codec's curve and of the anchor's.
    """

    percent: float | None
    note: str = ""
    points: tuple[int, int] = (0, 0)


def bd_rate(
    curve: Sequence[tuple[float, float]],
    anchor: Sequence[tuple[float, float]],
    *,
    higher_is_better: bool,
) -> BdRate:
    """Average difference in rate at equal quality (Bjøntegaard, VCEG-M33, 2001).

    By the `bjontegaard` package, with piecewise cubic (PCHIP) interpolation of log rate over
    quality, as JVET's spreadsheets do: it does not swing between points as one cubic does. Points
    at the same rate and quality (a codec at its floor) count once. Quality has to rise with
    each step of rate: else there is no one rate for a quality.

    Args:
        curve: rate and figure of each point of the codec, any order.
        anchor: rate and figure of each point of the codec to compare with.
        higher_is_better: whether a higher figure is a better quality.

    Returns:
        The rate, or the reason why there is none.
    """
    try:
        points, base = (_curve(each, higher_is_better) for each in (curve, anchor))
    except ValueError as reason:
        return BdRate(None, str(reason))
    numbers = len(points), len(base)
    for who, each in (("it", points), ("the anchor", base)):
        if len(each) < FEWEST_POINTS:
            shown = {0: "no rate", 1: "one rate"}.get(len(each), f"{len(each)} different rates")
            return BdRate(None, f"{who} has {shown}; {FEWEST_POINTS} are needed", numbers)
        if not (np.diff(each[:, 1]) > 0).all():
            return BdRate(None, f"{who} does not get better with every step of rate", numbers)
    low, high = max(points[0, 1], base[0, 1]), min(points[-1, 1], base[-1, 1])
    if high <= low:
        better = "better" if points[0, 1] >= base[-1, 1] else "worse"
        return BdRate(
            None, f"no quality that both reach: {better} than the anchor at all rates", numbers
        )
    span = max(points[-1, 1], base[-1, 1]) - min(points[0, 1], base[0, 1])
    cautions = []
    if min(numbers) < CURVE_POINTS:
        cautions.append(f"from {min(numbers)} points only")
    if (high - low) / span < FULL_OVERLAP:
        cautions.append(f"over the {100 * (high - low) / span:.0f} % of qualities that both reach")
    percent = _percent(points, base)
    if not math.isfinite(percent):
        return BdRate(None, "the curves are too steep to compare", numbers)
    return BdRate(percent, ", ".join(cautions), numbers)


def _curve(points: Sequence[tuple[float, float]], higher_is_better: bool) -> Floats:
    """Rate and quality (more is better), sorted by rate, without doubles, `[n, 2]`."""
    sign = 1.0 if higher_is_better else -1.0
    unique = sorted({(float(rate), sign * float(figure)) for rate, figure in points})
    if any(not (math.isfinite(rate) and rate > 0 and math.isfinite(q)) for rate, q in unique):
        raise ValueError("a rate that is not above 0, or a figure that is missing")
    return np.array(unique, dtype=np.float64).reshape(-1, 2)


def _percent(points: Floats, base: Floats) -> float:
    percent = bjontegaard.bd_rate(
        *(base[:, 0], base[:, 1], points[:, 0], points[:, 1]),
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    return float(percent)
