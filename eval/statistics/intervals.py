"""How sure a mean over clips is: bootstrap intervals by `scipy.stats`, and paired differences.

The unit of chance is the clip: frames of one clip are alike, so that an interval over frames would
be far too narrow. Intervals are those of the percentile bootstrap (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, ch. 13), seeded, so that the same clips give the same interval.
With fewer than five clips there is none: it could not be wider than the clips themselves, and two
codecs would look different by luck alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from ...codec.errors import ConfigError

__all__ = ["MIN_CLIPS", "Difference", "mean", "mean_intervals", "paired_difference"]

MIN_CLIPS = 5
RESAMPLES = 2000
LEVEL = 0.95
SEED = 0
_BLOCK = 1 << 22  # numbers held at a time, so that memory does not grow with clips x resamples

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


def mean(values: Sequence[float] | Floats) -> float:
    """Mean of the finite values; NaN where there is none."""
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else math.nan


def mean_intervals(
    values: npt.ArrayLike, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = SEED
) -> list[Interval | None]:
    """95 % bootstrap intervals of the means over clips, for several metrics.

    Args:
        values: `[clips, metrics]`; NaN where a clip has no such figure: it is not drawn.
        resamples: how often clips are drawn, with replacement.
        level: probability with which the interval is to hold the true mean.
        seed: seed of the draws.

    Returns:
        Low and high end for each metric; None where fewer than `MIN_CLIPS` clips have it.

    Raises:
        ConfigError: the table has not two axes.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ConfigError(f"a table of clips by metrics has two axes, not {table.ndim}")
    known = np.isfinite(table)
    found: list[Interval | None] = [None] * table.shape[1]
    for mask in np.unique(known, axis=1).T:  # metrics of the same clips are drawn together
        if mask.sum() >= MIN_CLIPS:
            columns = np.flatnonzero((known == mask[:, None]).all(0))
            ends = _ends(table[np.ix_(mask, columns)], resamples, level, seed)
            for column, low, high in zip(columns, *ends, strict=True):
                found[column] = float(low), float(high)
    return found


def _ends(values: Floats, resamples: int, level: float, seed: int) -> tuple[Floats, Floats]:
    """Low and high end of the mean of each column."""
    found = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=resamples,
        batch=max(1, _BLOCK // values.size),
        vectorized=True,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return found.low, found.high


@dataclass(frozen=True, slots=True)
class Difference:
    """One codec less another, clip by clip.

    Attributes:
        mean: mean of the differences.
        ci: 95 % interval of that mean; None with fewer than `MIN_CLIPS` clips.
        clips: number of clips that both codecs have.
        above: number of clips where the first codec has the higher figure.
        below: number of clips where it has the lower figure.
    """

    mean: float
    ci: Interval | None
    clips: int
    above: int
    below: int

    @property
    def clear(self) -> bool:
        """Whether the interval lies wholly on one side of 0."""
        return self.ci is not None and (self.ci[0] > 0 or self.ci[1] < 0)


def paired_difference(
    values: Mapping[str, float], anchor: Mapping[str, float]
) -> Difference | None:
    """Difference of two codecs on the clips that both have.

    A pair takes out what makes clips differ from each other. So it tells two codecs apart where
    the intervals of their means still overlap.

    Args:
        values: figure by clip.
        anchor: figure by clip of the codec to compare with.

    Returns:
        `values` less `anchor`; None where the codecs have no clip in common.
    """
    common = sorted(set(values) & set(anchor))
    differences = np.array([values[clip] - anchor[clip] for clip in common], dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return None
    (ci,) = mean_intervals(differences[:, None])
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    return Difference(float(differences.mean()), ci, len(differences), above, below)
