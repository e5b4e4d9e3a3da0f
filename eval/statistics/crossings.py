"""Up to which rate one codec is ahead of another: where their curves cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Lead", "lead"]


@dataclass(frozen=True, slots=True)
class Lead:
    """Where a curve is ahead of another one, over the rates that both have.

    Attributes:
        low, high: the ends of those rates, bits a pixel.
        ahead: whether the curve is ahead at `low`.
        crossings: rates at which that changes, in ascending order.
    """

    low: float
    high: float
    ahead: bool
    crossings: tuple[float, ...] = ()


def lead(
    curve: Sequence[tuple[float, float]],
    other: Sequence[tuple[float, float]],
    *,
    higher_is_better: bool,
) -> Lead | None:
    """Compare two curves that are straight between their points over the logarithm of the rate.

    Nothing is said about rates beyond the ends of either curve.

    Args:
        curve: rate (above 0) and figure of each point, in any order.
        other: rate and figure of each point of the codec to compare with.
        higher_is_better: whether a higher figure is better.

    Returns:
        None where the curves have no more than one rate in common.
    """
    sign = 1.0 if higher_is_better else -1.0
    ours, theirs = (
        np.array(sorted((x, y) for x, y in dict(each).items() if np.isfinite(y)), float)
        for each in (curve, other)
    )
    if not len(ours) or not len(theirs):
        return None
    low, high = max(ours[0, 0], theirs[0, 0]), min(ours[-1, 0], theirs[-1, 0])
    if low >= high:
        return None
    inner = [rate for rate in (*ours[:, 0], *theirs[:, 0]) if low < rate < high]
    logs = np.log(np.unique([low, *inner, high]))
    gap = sign * (
        np.interp(logs, np.log(ours[:, 0]), ours[:, 1])
        - np.interp(logs, np.log(theirs[:, 0]), theirs[:, 1])
    )
    gap, logs = gap[gap != 0], logs[gap != 0]  # to touch is not to cross
    crossings = []
    for left in np.flatnonzero(np.diff(gap > 0)):
        part = gap[left] / (gap[left] - gap[left + 1])
        crossings.append(float(np.exp(logs[left] + part * (logs[left + 1] - logs[left]))))
    ahead = bool(len(gap) and gap[0] > 0)
    return Lead(float(low), float(high), ahead, tuple(crossings))
