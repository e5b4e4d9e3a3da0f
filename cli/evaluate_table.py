"""What `codec-eval` prints: a short table for each target."""

from __future__ import annotations

from collections.abc import Sequence

from ..eval.results.schema import Results, Row
from ..eval.statistics.comparison import biased_by_few_frames, kept_to_rate

__all__ = ["text_table"]

_METRICS = ("lpips", "dists", "psnr", "lmd_mouth", "identity_cosine", "fid")
_OF_PORTRAITS = ("portrait_identity", "pose_error", "mouth_correlation", "mouth_opening")


def text_table(results: Results, target: float) -> str:
    """The main metrics of every codec at a target.

    Args:
        results: of a run.
        target: one of `results.targets`, bits a pixel.

    Returns:
        Lines of text. `!` marks the best, `*` a rate that was not reached, `?` a FID of so few
        frames that it is biased.
    """
    wanted = _METRICS + (_OF_PORTRAITS if "portrait_identity" in results.measured() else ())
    metrics = [name for name in wanted if name in results.measured()]
    rows = [(codec, row) for codec in results.codecs if (row := results.row(codec, target))]
    if not rows:
        return f"{target:g} bpp: nothing was measured"
    ranked = [row for _, row in rows if kept_to_rate(row)]
    best = {name: _best(results, name, ranked) for name in metrics}
    labels = [f"{results.metric(m).label} {results.metric(m).arrow}".strip() for m in metrics]
    table = [["codec", "bpp", "kbit/s", *labels]]
    for codec, row in rows:
        line = [codec, _short(row.bpp.get("video")) + ("" if row.reached else "*")]
        line.append(_short(row.kbps.get("video")))
        for name in metrics:
            value = row.values.get(name)
            won = row in ranked and value is not None and value == best[name]
            mark = "?" if biased_by_few_frames(name, row) else "!" if won else " "
            line.append(_short(value) + mark)
        table.append(line)
    frames = max(row.frames for _, row in rows)
    clips = max(row.clips for _, row in rows)
    title = (
        f"{target:g} bits a pixel, {clips} clip{'s' * (clips != 1)}, {frames} frames "
        "(picture; sound not counted)"
    )
    return "\n".join([title, *_aligned(table), *_foot(rows, ranked)])


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Lines of columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        ).rstrip()
        for line in table
    ]


def _foot(rows: Sequence[tuple[str, Row]], ranked: Sequence[Row]) -> list[str]:
    foot = ["! best" if len(ranked) == len(rows) else "! best of those that kept to the rate"]
    if not all(row.reached for _, row in rows):
        foot.append("* not within 1 % of the target on every clip")
    if any(biased_by_few_frames("fid", row) for _, row in rows):
        foot.append("? FID of few frames, biased upward")
    return foot


def _best(results: Results, name: str, rows: Sequence[Row]) -> float | None:
    higher = results.metric(name).higher_is_better
    values = [row.values[name] for row in rows if name in row.values]
    if higher is None or len(values) < 2:
        return None
    return max(values) if higher else min(values)


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    size = abs(value)
    return f"{value:.{4 if size < 0.1 else 3 if size < 1 else 2 if size < 100 else 1}f}"
