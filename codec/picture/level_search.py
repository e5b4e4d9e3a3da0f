"""`best_level`: the finest quality whose bytes fit, found in as few codings as can be.

The sizes that pictures usually have tell where to begin, and each coding tells where to try next:
three or four codings in place of the eight of a bisection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence, Sized
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from .steps import Steps

__all__ = ["NEAR", "best_level"]

NEAR = 0.985
"""Part of the limit that is near enough to it: one level more is 1.4 % of the bytes."""
T = TypeVar("T", bound=Sized)
_FLATTEST = 0.25  # of the usual growth: codecs are not always monotone


def best_level(
    code: Callable[[int], T],
    usual: npt.NDArray[np.float64],
    limit: int,
    first: int,
    near: float = NEAR,
) -> Steps[tuple[int, T]]:
    """Search among the levels of quality, from 0, the coarsest, on.

    Args:
        code: codes at a level; the length of the result is what counts.
        usual: the logarithm of the bytes that a picture usually takes at each level, increasing;
            float64 `[levels]`. Only its shape counts, not a number that is added to all of them.
        limit: most bytes.
        first: level to try first; one outside the range gives the nearest end.
        near: a level that takes at least this part of the limit, and fits, ends the search.

    Returns:
        Level and result of the finest level that fits, or of one before it that leaves next to
        nothing of the limit over. Where none fits, those of level 0. The search rests after each
        coding.
    """
    fits, fails = -1, len(usual)  # the finest level known to fit, the coarsest known not to
    below = above = 0.0  # logarithm of their bytes, relative to the limit
    best = list[T]()
    codings: list[tuple[int, float]] = []
    level, fitted = first, False
    while fits + 1 < fails:
        level = min(max(level, fits + 1), fails - 1)
        data = code(level)
        yield
        again, fitted = fitted == (len(data) <= limit), len(data) <= limit
        codings.append((level, math.log(len(data) / limit)))
        if fitted:
            fits, below, best = level, codings[-1][1], [data]
            above /= 2 if again else 1  # or one bound might never move (the Illinois method)
        else:
            fails, above = level, codings[-1][1]
            below /= 2 if again else 1
        if not best and level == 0:
            best = [data]
        if near * limit <= len(data) <= limit:
            break
        if fits >= 0 and fails < len(usual):
            part = below / (below - above)
            level = _level(usual, usual[fits] + part * (usual[fails] - usual[fits]))
        else:
            level = _beyond(usual, codings[-2:])
    return max(fits, 0), best[0]


def _beyond(usual: npt.NDArray[np.float64], codings: Sequence[tuple[int, float]]) -> int:
    """The level at which the bytes should come to the limit, if all codings were on one side of
    it. The last two tell how the bytes grow, and the usual growth does after the first.
    """
    level, over = codings[-1]
    growth = 1.0
    if len(codings) > 1:
        before, was = codings[0]
        growth = max((over - was) / (usual[level] - usual[before]), _FLATTEST)
    return _level(usual, usual[level] - over / growth)


def _level(usual: npt.NDArray[np.float64], logarithm: float) -> int:
    """The finest level that usually takes no more than that."""
    return math.floor(np.interp(logarithm, usual, np.arange(len(usual))))
