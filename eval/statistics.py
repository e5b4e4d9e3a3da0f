"""How sure a figure is: means over clips, bootstrap intervals, paired differences, BD-rates.

The unit of chance is the clip: frames of one clip are alike, so that an interval over frames would
be far too narrow. Intervals are those of the percentile bootstrap (Efron and Tibshirani, An
Introduction to the Bootstrap, 1993, ch. 13), seeded, so that the same clips give the same interval.
With fewer than five clips there is none: it could not be wider than the clips themselves, and two
codecs would look different by luck alone.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError

__all__ = [
    "MIN_CLIPS",
    "BdRate",
    "Difference",
    "bd_rate",
    "bootstrap",
    "interval",
    "mean",
    "mean_intervals",
    "paired_difference",
]

MIN_CLIPS = 5
RESAMPLES = 2000
LEVEL = 0.95
SEED = 0
CURVE_POINTS = 4  # Bjøntegaard's own number (ITU-T VCEG-M33)
FEWEST_POINTS = 3
FULL_OVERLAP = 0.75
_KEPT = 1 << 20  # draws that are kept for the next call
_BLOCK = 1 << 22  # draws held at a time, so that memory does not grow with clips x resamples

Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]


def mean(values: Sequence[float] | Floats) -> float:
    """Mean of what is finite; NaN where nothing is."""
    found = np.asarray(values, dtype=np.float64)
    found = found[np.isfinite(found)]
    return float(found.mean()) if found.size else math.nan


def mean_intervals(
    values: npt.ArrayLike, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = SEED
) -> list[Interval | None]:
    """Bootstrap intervals of the means over clips of several metrics at once.

    Args:
        values: `[clips, metrics]`; NaN: this clip has no such figure.
        resamples: how often clips are drawn, with replacement.
        level: probability that the interval is to hold.
        seed: of the draws; the same for all metrics, which are so drawn together.

    Returns:
        Low and high end for each metric; None where fewer than `MIN_CLIPS` clips have it.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2:
        raise ConfigError(f"a table of clips by metrics has two axes, not {table.ndim}")
    known = np.isfinite(table)
    filled, ones = np.where(known, table, 0.0), known.astype(np.float64)
    means: list[Floats] = []
    for times in _counts(len(table), resamples, seed):
        with np.errstate(invalid="ignore", divide="ignore"):
            means.append((times @ filled) / (times @ ones))
    if not means:
        return [None] * table.shape[1]
    replicates = np.concatenate(means)
    enough = known.sum(axis=0) >= MIN_CLIPS
    return [interval(replicates[:, i], level) if enough[i] else None for i in range(len(enough))]


def bootstrap(
    statistic: Callable[[npt.NDArray[np.intp]], float],
    clips: int,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = SEED,
) -> Interval | None:
    """Bootstrap interval of any figure of many clips together, such as FID.

    Args:
        statistic: the figure of some clips, given by number, `[clips]`; some come several times.
        clips: how many there are.
        resamples: how often it is computed; lower it where that takes long.
        level: probability that the interval is to hold.
        seed: of the draws.

    Returns:
        Low and high end; None with fewer than `MIN_CLIPS` clips.
    """
    if clips < MIN_CLIPS:
        return None
    values = [statistic(row) for drawn in _draws(clips, resamples, seed) for row in drawn]
    return interval(np.asarray(values, dtype=np.float64), level)


def interval(replicates: Floats, level: float = LEVEL) -> Interval | None:
    """Percentile interval of bootstrap replicates; None where none is finite."""
    found = replicates[np.isfinite(replicates)]
    if not found.size:
        return None
    low, high = np.percentile(found, [50 * (1 - level), 50 * (1 + level)])
    return float(low), float(high)


def _draws(clips: int, resamples: int, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """Clips drawn with replacement, `[resamples, clips]` in blocks."""
    if clips < 1:
        return
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // clips)
    for start in range(0, resamples, block):
        shape = (min(block, resamples - start), clips)
        yield generator.integers(0, clips, shape, dtype=np.intp)


def _counts(clips: int, resamples: int, seed: int) -> Iterable[Floats]:
    """How often each clip is in each draw, `[resamples, clips]` in blocks."""
    if resamples * clips <= _KEPT:
        return _kept_counts(clips, resamples, seed)
    return (_counted(drawn) for drawn in _draws(clips, resamples, seed))


@functools.lru_cache(maxsize=8)
def _kept_counts(clips: int, resamples: int, seed: int) -> tuple[Floats, ...]:
    """A report asks for the same draws a thousand times."""
    return tuple(_counted(drawn) for drawn in _draws(clips, resamples, seed))


def _counted(drawn: npt.NDArray[np.intp]) -> Floats:
    resamples, clips = drawn.shape
    cells = drawn + clips * np.arange(resamples)[:, None]
    counts = np.bincount(cells.ravel(), minlength=resamples * clips)
    return counts.reshape(resamples, clips).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Difference:
    """One codec less another, clip by clip.

    Attributes:
        mean: of the differences.
        ci: 95 % interval of it; None with fewer than `MIN_CLIPS` clips.
        clips: that both have.
        above: clips where the first has the higher figure.
        below: clips where it has the lower.
    """

    mean: float
    ci: Interval | None
    clips: int
    above: int
    below: int

    @property
    def clear(self) -> bool:
        """The interval lies wholly on one side of 0."""
        return self.ci is not None and (self.ci[0] > 0 or self.ci[1] < 0)


def paired_difference(
    values: Mapping[str, float], anchor: Mapping[str, float], *, resamples: int = RESAMPLES
) -> Difference | None:
    """Difference of two codecs on the clips that both have.

    Pairs take out what makes clips differ from each other, and so tell codecs apart where the
    intervals of their means still overlap.

    Args:
        values: figure by clip.
        anchor: likewise of the codec to compare with.
        resamples: see `mean_intervals`.

    Returns:
        `values` less `anchor`; None without a common clip.
    """
    common = sorted(set(values) & set(anchor))
    differences = np.array([values[clip] - anchor[clip] for clip in common], dtype=np.float64)
    differences = differences[np.isfinite(differences)]
    if not differences.size:
        return None
    (ci,) = mean_intervals(differences[:, None], resamples=resamples)
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    return Difference(float(differences.mean()), ci, len(differences), above, below)


@dataclass(frozen=True, slots=True)
class BdRate:
    """Bjøntegaard rate.

    Attributes:
        percent: more bits than the anchor for the same quality, on average over the qualities that
            both reach; below 0: fewer. None: not computable.
        note: the reason, or with what caution to read it; empty where there is nothing to say.
        points: of the codec's curve and of the anchor's.
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
        anchor: likewise of the codec to compare with.
        higher_is_better: else figures are negated.

    Raises:
        MissingExtraError: `bjontegaard` is not installed.
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
    try:
        import bjontegaard
    except ImportError as error:
        from ..codec.errors import MissingExtraError

        raise MissingExtraError("BD-rate", "eval") from error
    return float(
        bjontegaard.bd_rate(
            base[:, 0],
            base[:, 1],
            points[:, 0],
            points[:, 1],
            method="pchip",
            require_matching_points=False,
            min_overlap=0,
        )
    )
