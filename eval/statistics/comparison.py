"""Which codec is best at a rate, and whether that is more than luck.

A codec is ranked at a target where it kept to the rate. One that needed more bits than were allowed
is named, and not ranked. Two codecs differ clearly where the 95 % bootstrap interval of their
difference, clip by clip, does not hold 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..results.schema import BdRow, Results, Row
from .bd_rate import bd_rate
from .crossings import Lead, lead
from .intervals import Difference, paired_difference

__all__ = [
    "BD_METRICS",
    "FEWEST_FID_FRAMES",
    "TOLERANCE",
    "Standing",
    "Verdict",
    "bd_rates",
    "biased_by_few_frames",
    "compare",
    "kept_to_rate",
    "leads",
]

TOLERANCE = 1.05
"""Bits used over bits allowed up to which a codec is ranked. Single clips are matched to 1 %; where
a codec's knob is too coarse for that, it must not win by more than these bits."""
FEWEST_FID_FRAMES = 2000
"""FID of fewer frames is biased upward by so much that it is no headline (Chong and Forsyth 2020,
arXiv 1911.07023). Inception has 2,048 features: below that many frames their covariance is
singular."""
BD_METRICS = ("lpips", "dists", "psnr")
LEAD_METRICS = ("lpips", "face_lpips", "fid", "dists", "psnr")


@dataclass(frozen=True, slots=True)
class Standing:
    """A codec at a target by one metric.

    Attributes:
        codec: its name.
        value: its figure.
        ci: 95 % interval over clips.
        behind: its figures less those of the best, clip by clip; None for the best itself, and
            where the metric has no figures of single clips.
    """

    codec: str
    value: float
    ci: tuple[float, float] | None
    behind: Difference | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The order of the codecs at a target by one metric.

    Attributes:
        metric: its name.
        target: bits a pixel.
        order: best first; only codecs that kept to the rate.
        over: codecs that needed more bits than that.
    """

    metric: str
    target: float
    order: tuple[Standing, ...]
    over: tuple[str, ...]

    @property
    def best(self) -> Standing | None:
        """The first of the order, sure or not."""
        return self.order[0] if self.order else None

    @property
    def unclear(self) -> tuple[str, ...]:
        """Codecs whose difference to the best may be luck: its interval holds 0."""
        return tuple(
            each.codec
            for each in self.order[1:]
            if each.behind is not None and each.behind.ci is not None and not each.behind.clear
        )

    @property
    def known(self) -> bool:
        """Differences have intervals: enough clips, and a metric that has figures of clips."""
        rest = self.order[1:]
        return bool(rest) and all(
            each.behind is not None and each.behind.ci is not None for each in rest
        )


def kept_to_rate(row: Row) -> bool:
    """Whether a row's picture took no more bits than its target allows (see `TOLERANCE`)."""
    return row.bpp.get("video", 0.0) <= TOLERANCE * row.target_bpp


def biased_by_few_frames(metric: str, row: Row) -> bool:
    """Whether a row's figure is a FID of fewer than `FEWEST_FID_FRAMES` frames."""
    looked = row.counts.get("inception", row.frames)
    return metric == "fid" and metric in row.values and looked < FEWEST_FID_FRAMES


def compare(results: Results, metric: str, target: float) -> Verdict | None:
    """Rank the codecs at a target.

    Returns:
        None where the metric has no better and worse, or nobody was measured.
    """
    higher = results.metric(metric).higher_is_better
    rows = [
        (codec, row)
        for codec in results.codecs
        if (row := results.row(codec, target)) is not None and metric in row.values
    ]
    if higher is None or not rows:
        return None
    ranked = [(codec, row) for codec, row in rows if kept_to_rate(row)]
    ranked.sort(key=lambda pair: pair[1].values[metric], reverse=higher)
    best = _by_clip(results, ranked[0][0], metric, target) if ranked else {}
    order = []
    for place, (codec, row) in enumerate(ranked):
        own = _by_clip(results, codec, metric, target)
        behind = paired_difference(own, best) if place else None
        order.append(Standing(codec, row.values[metric], row.ci.get(metric), behind))
    over = tuple(codec for codec, row in rows if not kept_to_rate(row))
    return Verdict(metric, target, tuple(order), over)


def _by_clip(results: Results, codec: str, metric: str, target: float) -> dict[str, float]:
    return {
        entry.clip: entry.values[metric]
        for entry in results.clips.get(codec, ())
        if entry.target_bpp == target and metric in entry.values
    }


def bd_rates(
    results: Results, anchor: str, metrics: Sequence[str] = BD_METRICS
) -> tuple[BdRow, ...]:
    """BD-rates of every codec but the anchor, by metric.

    Rates are the achieved ones of the picture, figures the means over clips.
    """
    rows = []
    for metric, higher, base in _measured(results, anchor, metrics):
        for codec in (name for name in results.codecs if name != anchor):
            rate = bd_rate(_curve(results, codec, metric), base, higher_is_better=higher)
            rows.append(BdRow(metric, codec, anchor, rate.percent, rate.note, rate.points))
    return tuple(rows)


def leads(
    results: Results, codec: str, metrics: Sequence[str] = LEAD_METRICS
) -> dict[str, dict[str, Lead]]:
    """Where a codec is ahead of each other one, by metric and codec."""
    found: dict[str, dict[str, Lead]] = {}
    for metric, higher, own in _measured(results, codec, metrics):
        for other in results.codecs:
            curve = _curve(results, other, metric) if other != codec else []
            seen = lead(own, curve, higher_is_better=higher)
            if seen is not None:
                found.setdefault(metric, {})[other] = seen
    return found


def _measured(
    results: Results, codec: str, metrics: Sequence[str]
) -> Iterator[tuple[str, bool, list[tuple[float, float]]]]:
    """Metrics that a codec has, of which more or less is better: whether more, its curve."""
    for metric in metrics:
        higher, curve = results.metric(metric).higher_is_better, _curve(results, codec, metric)
        if higher is not None and curve:
            yield metric, higher, curve


def _curve(results: Results, codec: str, metric: str) -> list[tuple[float, float]]:
    return [
        (row.bpp["video"], row.values[metric])
        for row in results.results.get(codec, ())
        if metric in row.values and "video" in row.bpp
    ]
