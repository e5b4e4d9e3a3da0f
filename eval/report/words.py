"""The report's sentences, made of figures alone: which codec is best at which rate, and how sure.

Sentences are `Markup`: what is put into them is escaped.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from markupsafe import Markup, escape

from ..results.schema import Results
from ..statistics.comparison import (
    FEWEST_FID_FRAMES,
    Verdict,
    biased_by_few_frames,
    compare,
    kept_to_rate,
)
from ..statistics.crossings import Lead

__all__ = ["count", "fid_note", "headline", "lead_words", "sentences"]

_MEANS = {
    "lpips": "how alike the pictures look",
    "fid": "how real the frames look as a whole",
    "dists": "how alike structure and texture are",
    "psnr": "how near each pixel is",
}


def headline(results: Results) -> list[str]:
    """Metrics that the report leads with; FID only of enough frames."""
    few = fid_note(results) != ""
    wanted = [name for name in _MEANS if name != ("fid" if few else "dists")]
    return [name for name in wanted if name in results.measured()]


def fid_note(results: Results) -> str:
    """What to say beside a FID that is biased by few frames; empty where none is."""
    rows = [row for row in results.rows() if biased_by_few_frames("fid", row)]
    if not rows:
        return ""
    fewest = min(row.counts.get("inception", row.frames) for row in rows)
    return f"biased upward: {fewest} frames, fewer than {FEWEST_FID_FRAMES}"


def sentences(results: Results) -> list[Markup]:
    """One sentence a metric, and one on what is not ranked."""
    found = [text for metric in headline(results) if (text := _sentence(results, metric))]
    if note := fid_note(results):
        found.append(Markup("<b>FID</b> is not among these figures, since it is {}.").format(note))
    over = [
        Markup("{} at {} bpp").format(_listed([escape(codec) for codec in dear]), f"{target:g}")
        for target in results.targets
        if (dear := _over_rate(results, target))
    ]
    if over:
        listed = Markup("; ").join(over)
        found.append(Markup("Not ranked, since they needed more bits: {}.").format(listed))
    return found


def _over_rate(results: Results, target: float) -> list[str]:
    """Codecs that did not keep to a rate, and so are not ranked there."""
    rows = ((codec, results.row(codec, target)) for codec in results.codecs)
    return [codec for codec, row in rows if row is not None and not kept_to_rate(row)]


def _listed(names: Sequence[Markup]) -> Markup:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return Markup("").join(names)
    return Markup("{} and {}").format(Markup(", ").join(names[:-1]), names[-1])


def _sentence(results: Results, metric: str) -> Markup:
    found = (compare(results, metric, target) for target in results.targets)
    verdicts = [verdict for verdict in found if verdict and verdict.best]
    parts = []
    for phrase, group in itertools.groupby(verdicts, _phrase):
        rates = _listed([escape(f"{verdict.target:g}") for verdict in group])
        parts.append(Markup("{} at {} bpp").format(phrase, rates))
    if not parts:
        return Markup()
    told = Markup("; ").join(parts)
    return Markup("<b>{}</b>, {}: {}.").format(results.metric(metric).label, _MEANS[metric], told)


def _phrase(verdict: Verdict) -> Markup:
    name = Markup("<b>{}</b>").format(verdict.order[0].codec)
    if len(verdict.order) == 1:
        return Markup("only {} kept to the rate").format(name)
    if verdict.unclear:
        rivals = _listed([name, *(escape(codec) for codec in verdict.unclear)])
        return Markup("no clear difference between {}").format(rivals)
    if verdict.known:
        return Markup("{} is clearly best").format(name)
    return Markup("{} has the best figure (no interval)").format(name)


def lead_words(lead: Lead) -> str:
    """At which rates a codec is ahead of another one."""
    if lead.ahead and not lead.crossings:
        return "everywhere"
    ends = [*([lead.low] if lead.ahead else []), *lead.crossings]
    ends += [lead.high] if len(ends) % 2 else []
    spans = zip(ends[::2], ends[1::2], strict=True)
    return ", ".join(f"{first:.3g} to {last:.3g}" for first, last in spans) or "nowhere"


def count(number: int, what: str) -> Markup:
    """`1 clip`, `1 234 frames`."""
    return Markup("<b>{}</b> {}{}").format(
        f"{number:,}".replace(",", " "), what, "" if number == 1 else "s"
    )
