"""The report's first words: who is best at which rate, and whether that is sure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape

from .comparison import Verdict, compare, kept_to_rate
from .drawing import Style, decimals, marker, shown
from .schema import Results

__all__ = ["HEADLINE", "chip", "listed", "matrix", "over_rate", "sentences"]

HEADLINE = ("lpips", "fid", "psnr")
_MEANS = {
    "lpips": "how alike the pictures look",
    "fid": "how real the frames look as a whole",
    "psnr": "how near each pixel is",
}


def chip(codec: str, styles: Mapping[str, Style]) -> str:
    """A codec's name behind its marker."""
    style = styles.get(codec, Style(0, 0))
    return (
        '<span class="codec"><svg viewBox="-8 -8 16 16" aria-hidden="true">'
        f"{marker(style)}</svg>{escape(codec)}</span>"
    )


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1]


def sentences(results: Results) -> list[str]:
    """One sentence a metric as HTML, made of the figures alone."""
    found = [text for metric in HEADLINE if (text := _sentence(results, metric))]
    over = [
        f"{listed([escape(codec) for codec in dear])} at {target:g} bpp"
        for target in results.targets
        if (dear := over_rate(results, target))
    ]
    if over:
        found.append("Not ranked, since they needed more bits than that: " + "; ".join(over) + ".")
    return found


def over_rate(results: Results, target: float) -> list[str]:
    """Codecs that did not keep to a rate, and so are not ranked there."""
    rows = ((codec, results.row(codec, target)) for codec in results.codecs)
    return [codec for codec, row in rows if row is not None and not kept_to_rate(row)]


def _sentence(results: Results, metric: str) -> str:
    verdicts = [
        verdict
        for target in results.targets
        if (verdict := compare(results, metric, target)) and verdict.best
    ]
    if not verdicts:
        return ""
    parts = []
    for phrase, group in itertools.groupby(verdicts, _phrase):
        rates = listed([f"{verdict.target:g}" for verdict in group])
        parts.append(f"{phrase} at {rates} bpp")
    label = escape(results.metric(metric).label)
    return f"<b>{label}</b>, {_MEANS[metric]}: " + "; ".join(parts) + "."


def _phrase(verdict: Verdict) -> str:
    best = verdict.best
    if best is None:
        return "nobody kept to the rate"
    name = f"<b>{escape(best.codec)}</b>"
    if len(verdict.order) == 1:
        return f"only {name} kept to the rate"
    if verdict.unclear:
        rivals = listed([name, *(escape(codec) for codec in verdict.unclear)])
        return f"no clear difference between {rivals}"
    if verdict.known:
        return f"{name} is clearly best"
    return f"{name} has the best figure (no interval)"


def matrix(results: Results, styles: Mapping[str, Style]) -> str:
    """Who is best: a table of metrics by targets, as HTML."""
    targets = results.targets
    head = "".join(f'<th scope="col">{target:g} bpp</th>' for target in targets)
    rows: list[str] = []
    for metric in HEADLINE:
        verdicts = [compare(results, metric, target) for target in targets]
        if not any(verdicts):
            continue
        info = results.metric(metric)
        arrow = "↑ higher is better" if info.higher_is_better else "↓ lower is better"
        cells = "".join(f"<td>{_cell(results, verdict, styles)}</td>" for verdict in verdicts)
        rows.append(
            f'<tr><th scope="row">{escape(info.label)}<small>{arrow}</small></th>{cells}</tr>'
        )
    if not rows:
        return ""
    return (
        f'<div class="scroll"><table class="who"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(results: Results, verdict: Verdict | None, styles: Mapping[str, Style]) -> str:
    if verdict is None:
        return "–"
    best = verdict.best
    if best is None:
        return '<span class="muted">nobody kept to the rate</span>'
    unit = results.metric(verdict.metric).unit
    digits = decimals([each.value for each in verdict.order])
    figure = f"<b>{shown(best.value, digits)}</b> {escape(unit)}"
    if best.ci:
        low, high = (shown(end, digits) for end in best.ci)
        figure += f' <small class="ci">{low} to {high}</small>'
    names = [best.codec, *verdict.unclear]
    who = "".join(f"<div>{chip(name, styles)}</div>" for name in names[:3])
    if len(names) > 3:
        who += f'<div class="muted">and {len(names) - 3} more</div>'
    return f'{who}<div class="figure">{figure}</div><div class="muted">{_why(verdict)}</div>'


def _why(verdict: Verdict) -> str:
    """What stands behind a cell of the matrix."""
    if len(verdict.order) == 1:
        return "the only one that kept to the rate"
    if verdict.unclear:
        return "no clear difference"
    second = verdict.order[1]
    if not verdict.known or second.behind is None or second.behind.ci is None:
        digits = decimals([each.value for each in verdict.order])
        return f"next {escape(second.codec)}: {shown(second.value, digits)}; no interval"
    behind = second.behind
    wins = behind.above if behind.mean > 0 else behind.below
    return f"ahead of {escape(second.codec)} on {wins} of {behind.clips} clips"
