"""`best_level`: the finest quality whose bytes fit, found in as few codings as can be.

The logarithm of the bytes is nearly a straight line over the levels of quality, so each coding
tells where to try next: about four codings in place of the nine of a bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sized
from typing import TypeVar

from .steps import Steps

__all__ = ["LOG_GROWTH", "best_level"]

LOG_GROWTH = 0.0142
"""By how much the logarithm of the bytes usually grows from a level to the next."""
T = TypeVar("T", bound=Sized)
_NEAR = 0.985  # of the limit: one level more is 1.4 % of the bytes
_AIMED = 5  # so many codings are aimed; after them the middle of what is left is tried


def best_level(
    code: Callable[[int], T], levels: int, limit: int, first: int, growth: float = LOG_GROWTH
) -> Steps[tuple[int, T]]:
    """Search among levels 0, the coarsest quality, to `levels` - 1, the finest.

    Args:
        code: codes at a level; the length of the result is what counts.
        levels: how many there are.
        limit: most bytes.
        first: level to try first; one outside the range gives the nearest end.
        growth: by how much the logarithm of the length usually grows from a level to the next.

    Returns:
        Level and result of the finest level that fits, or of one before it that leaves next to
        nothing of the limit over. Where none fits, those of level 0. The search rests after each
        coding.
    """
    fits, fails = -1, levels  # the finest level known to fit, the coarsest known not to
    best = list[T]()
    sizes: dict[int, int] = {}
    level = first
    while fits + 1 < fails:
        level = min(max(level, fits + 1), fails - 1)
        data = code(level)
        yield
        sizes[level] = len(data)
        if len(data) <= limit:
            fits, best = level, [data]
        else:
            fails = level
        if not best and level == 0:
            best = [data]
        if _NEAR * limit <= len(data) <= limit:
            break
        aimed = len(sizes) < _AIMED
        level = _aim(sizes, fits, fails, limit, growth) if aimed else (fits + fails) // 2
    return max(fits, 0), best[0]


def _aim(sizes: dict[int, int], fits: int, fails: int, limit: int, growth: float) -> int:
    """The level at which the bytes should come to the limit, by a straight line of logarithms.

    The line goes through both bounds. While only one of them was coded, it goes through that one,
    with the slope of the last two codings, or with the usual slope after the first coding.
    """
    known = fits if fits in sizes else fails
    slope = growth
    if len(sizes) > 1:
        one, two = (fits, fails) if fits in sizes and fails in sizes else list(sizes)[-2:]
        slope = (math.log(sizes[two]) - math.log(sizes[one])) / (two - one)
        slope = max(slope, growth / 4)  # codecs are not always monotone
    return known + math.floor((math.log(limit) - math.log(sizes[known])) / slope)
