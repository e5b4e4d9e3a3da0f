"""The report's tables as HTML: figures at a rate, bits by kind, BD-rates, commands, definitions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from .comparison import Verdict, bd_rates, compare, kept_to_rate, leads
from .crossing import Lead
from .drawing import Style, decimals, shown
from .report_words import chip
from .schema import BITS, BdRow, Results, Row

__all__ = [
    "MAIN",
    "all_figures",
    "bd_table",
    "bits_bars",
    "commands",
    "definitions",
    "figures_table",
    "leads_table",
    "notes",
    "runs",
    "speed_table",
]

MAIN = ("lpips", "fid", "dists", "psnr", "ssim", "face_lpips", "lmd_mouth", "identity_cosine")
_ANCHORS = ("vvenc-ld", "vvenc", "x265", "svtav1")
_KINDS = {
    "keyframe": "keyframe",
    "motion": "motion",
    "inter": "predicted frames",
    "residual": "residual",
    "container": "headers",
    "audio": "sound",
}
_FULL_RANK = 2048  # features of Inception


def _rows_at(results: Results, target: float) -> list[tuple[str, Row]]:
    return [(codec, row) for codec in results.codecs if (row := results.row(codec, target))]


def _cell(value: float | None, ci: tuple[float, float] | None, digits: int) -> str:
    text = shown(value, digits)
    if value is not None and ci is not None:
        low, high = (shown(end, digits) for end in ci)
        text += f'<small class="ci">{low} to {high}</small>'
    return text


def _heading(results: Results, metric: str) -> str:
    info = results.metric(metric)
    arrow = {True: " ↑", False: " ↓", None: ""}[info.higher_is_better]
    unit = f"<small>{escape(info.unit)}</small>" if info.unit else ""
    return (
        f'<th scope="col" title="{escape(info.definition)}">{escape(info.label)}{arrow}{unit}</th>'
    )


def figures_table(results: Results, target: float, styles: Mapping[str, Style]) -> str:
    """The main metrics of all codecs at a target."""
    rows = _rows_at(results, target)
    metrics = [name for name in MAIN if any(name in row.values for _, row in rows)]
    verdicts = {name: compare(results, name, target) for name in metrics}
    digits = {
        name: decimals([row.values[name] for _, row in rows if name in row.values])
        for name in metrics
    }
    body = []
    for codec, row in rows:
        cells = []
        for name in metrics:
            standing = _standing(verdicts[name], codec)
            text = _cell(row.values.get(name), row.ci.get(name), digits[name])
            if name in ("fid", "kid") and name in row.values:
                looked = row.counts.get("inception", row.frames)
                text += f"<small>{looked:,} frames</small>".replace(",", " ")
            cells.append(f'<td class="{standing}">{text}</td>')
        mark = "" if row.reached else '<span class="off" title="target not reached">○</span>'
        rate = f"{row.bpp.get('video', 0):.4g}{mark}<small>{_kbps(row)}</small>"
        dear = "" if kept_to_rate(row) else ' class="dear"'
        body.append(
            f'<tr{dear}><th scope="row">{chip(codec, styles)}</th><td>{rate}</td>'
            + "".join(cells)
            + "</tr>"
        )
    head = "".join(_heading(results, name) for name in metrics)
    return (
        '<div class="scroll"><table class="figures"><thead><tr><th scope="col">codec</th>'
        f'<th scope="col">bpp<small>kbit/s</small></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>{_under(rows)}"
    )


def _kbps(row: Row) -> str:
    return f"{row.kbps['video']:.3g}" if "video" in row.kbps else ""


def _standing(verdict: Verdict | None, codec: str) -> str:
    if verdict is None or len(verdict.order) < 2 or verdict.best is None:
        return ""
    if codec == verdict.best.codec:
        return "best"
    return "near" if codec in verdict.unclear else ""


def _under(rows: Sequence[tuple[str, Row]]) -> str:
    """What a reader of the table must know."""
    lines = ["<b>Bold</b>: best. ≈: no clear difference to the best."]
    looked = [row.counts.get("inception", row.frames) for _, row in rows if "fid" in row.values]
    if looked and min(looked) < _FULL_RANK:
        lines.append(
            f"FID is biased upward with few frames, and here are {min(looked)}: fewer than "
            "Inception's 2048 features. Compare only within this table."
        )
    elif looked:
        lines.append("FID is biased upward with few frames: compare equal numbers only.")
    if not all(kept_to_rate(row) for _, row in rows):
        lines.append("Grey: needed over 5 % more bits than the target; not ranked.")
    if not all(row.reached for _, row in rows):
        lines.append("○: not within 1 % of the target on every clip.")
    for codec, row in rows:
        lines += [f"{escape(codec)}: {escape(note)}." for note in row.notes if not row.reached]
    return '<p class="under">' + " ".join(lines) + "</p>"


def all_figures(results: Results, target: float, styles: Mapping[str, Style]) -> str:
    """Every metric of all codecs at a target, one line a metric."""
    rows = _rows_at(results, target)
    metrics = [name for name in results.measured() if any(name in row.values for _, row in rows)]
    body = []
    for name in metrics:
        found = [row.values[name] for _, row in rows if name in row.values]
        verdict, digits = compare(results, name, target), decimals(found)
        cells = "".join(
            f'<td class="{_standing(verdict, codec)}">'
            f"{_cell(row.values.get(name), row.ci.get(name), digits)}</td>"
            for codec, row in rows
        )
        info = results.metric(name)
        arrow = {True: " ↑", False: " ↓", None: ""}[info.higher_is_better]
        body.append(
            f'<tr><th scope="row" title="{escape(info.definition)}">{escape(info.label)}{arrow}'
            f"<small>{escape(info.unit)}</small></th>{cells}</tr>"
        )
    head = "".join(f'<th scope="col">{chip(codec, styles)}</th>' for codec, _ in rows)
    return (
        f"<details><summary>All {len(metrics)} metrics at {target:g} bpp</summary>"
        f'<div class="scroll"><table class="figures"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></details>"
    )


def bits_bars(results: Results, target: float, styles: Mapping[str, Style]) -> str:
    """Stacked bars of the bits by kind, in kbit/s where that is known."""
    rows = _rows_at(results, target)
    in_kbps = all(row.kbps.get("total") for _, row in rows)
    unit = "kbit/s" if in_kbps else "bpp"
    parts = [(codec, row.kbps if in_kbps else row.bpp) for codec, row in rows]
    most = max((sum(p.get(kind, 0) for kind in BITS) for _, p in parts), default=0)
    if not most:
        return ""
    bars = []
    for codec, rates in parts:
        pieces = "".join(
            f'<i class="k-{kind}" style="width:{100 * rates[kind] / most:.2f}%" '
            f'title="{_KINDS[kind]} {rates[kind]:.3g} {unit}"></i>'
            for kind in BITS
            if rates.get(kind, 0) > 0
        )
        video = sum(rates.get(kind, 0) for kind in BITS if kind != "audio")
        sound = rates.get("audio", 0)
        said = f"{video:.3g}" + (f" <small>+ {sound:.3g} sound</small>" if sound else "")
        bars.append(
            f'<div class="row"><div>{chip(codec, styles)}</div>'
            f'<div class="bar">{pieces}</div><div class="sum">{said}</div></div>'
        )
    kinds = [kind for kind in BITS if any(rates.get(kind, 0) > 0 for _, rates in parts)]
    key = "".join(f'<span><i class="k-{kind}"></i>{_KINDS[kind]}</span>' for kind in kinds)
    return (
        f'<h3>Bits by kind <small>{unit}</small></h3><div class="key">{key}</div>'
        f'<div class="bars">{"".join(bars)}</div>'
    )


def speed_table(results: Results, styles: Mapping[str, Style]) -> str:
    """Frames a second at every target."""
    body = []
    for codec, own in results.results.items():
        for what, speeds in (
            ("encode", {row.target_bpp: row.encode_fps for row in own}),
            ("decode", {row.target_bpp: row.decode_fps for row in own}),
        ):
            cells = "".join(f"<td>{_fps(speeds.get(target))}</td>" for target in results.targets)
            name = f'<th scope="row">{chip(codec, styles)} <small>{what}</small></th>'
            body.append(f"<tr>{name}{cells}</tr>")
    head = "".join(f'<th scope="col">{target:g} bpp</th>' for target in results.targets)
    return (
        "<details><summary>Frames a second as numbers</summary>"
        f'<div class="scroll"><table class="figures"><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div></details>"
    )


def _fps(speed: float | None) -> str:
    return "–" if speed is None else f"{speed:.3g}" if speed < 100 else f"{speed:.0f}"


def bd_table(results: Results, styles: Mapping[str, Style]) -> str:
    """BD-rates: as stored in the results, else computed from their rows."""
    found = list(results.bd_rate) or _computed(results)
    if not found:
        return '<p class="under">No two codecs to compare.</p>'
    anchor = found[0].anchor
    metrics = list(dict.fromkeys(row.metric for row in found))
    by_place = {(row.codec, row.metric): row for row in found}
    head = "".join(f'<th scope="col">{escape(results.metric(m).label)}</th>' for m in metrics)
    body = "".join(
        f'<tr><th scope="row">{chip(codec, styles)}</th>'
        + "".join(_bd_cell(by_place.get((codec, metric))) for metric in metrics)
        + "</tr>"
        for codec in dict.fromkeys(row.codec for row in found)
    )
    return (
        f"<p>Bits that a codec needs for the same quality, compared with "
        f"{chip(anchor, styles)}: −50 % is half the bits.</p>"
        f'<div class="scroll"><table class="figures bd"><thead><tr><th scope="col">codec</th>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
        '<p class="under">Bjøntegaard: mean difference of log rate over the qualities that both '
        "curves reach, piecewise cubic. A rate that was not reached counts with the bits that were "
        "really used.</p>"
    )


def _computed(results: Results) -> list[BdRow]:
    wanted = str(results.config.get("anchor", ""))
    anchor = next((name for name in (wanted, *_ANCHORS) if name in results.results), "")
    anchor = anchor or next(iter(results.codecs), "")
    return [
        BdRow(metric, codec, anchor, rate.percent, rate.note, rate.points)
        for metric, rates in bd_rates(results, anchor).items()
        for codec, rate in rates.items()
    ]


def _bd_cell(row: BdRow | None) -> str:
    if row is None:
        return "<td>–</td>"
    note = f"<small>{escape(row.note)}</small>" if row.note else ""
    if row.percent is None:
        return f'<td class="none">not computable{note}</td>'
    sign = "−" if row.percent < 0 else "+"
    good = "rough" if row.note else "fewer" if row.percent < 0 else "more"
    return f'<td class="{good}">{sign}{abs(row.percent):.1f} %{note}</td>'


def leads_table(results: Results, styles: Mapping[str, Style]) -> str:
    """Up to which rate the codec that was named first is ahead of each other one."""
    codec = next(iter(results.codecs), "")
    found = leads(results, codec) if codec else {}
    if not found:
        return '<p class="under">No codec has two rates in common with the one named first.</p>'
    head = "".join(f'<th scope="col">{escape(results.metric(m).label)}</th>' for m in found)
    body = "".join(
        f'<tr><th scope="row">{chip(other, styles)}</th>'
        + "".join(_lead_cell(found[metric].get(other)) for metric in found)
        + "</tr>"
        for other in results.codecs
        if any(other in row for row in found.values())
    )
    return (
        f"<p>At which bits a pixel {chip(codec, styles)} is ahead of:</p>"
        f'<div class="scroll"><table class="figures bd"><thead><tr><th scope="col">codec</th>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>"
        '<p class="under">Curves are straight between their points, over the logarithm of the bits '
        "that were really used; beyond the ends of either nothing is said.</p>"
    )


def _lead_cell(lead: Lead | None) -> str:
    if lead is None:
        return "<td>–</td>"
    ends = [*lead.crossings]
    if lead.ahead:
        ends.insert(0, lead.low)
    if len(ends) % 2:
        ends.append(lead.high)
    spans = [f"{a:.3g} to {b:.3g}" for a, b in zip(ends[::2], ends[1::2], strict=True)]
    over = f"<small>of {lead.low:.3g} to {lead.high:.3g}</small>"
    if not spans:
        return f'<td class="none">nowhere{over}</td>'
    where = "everywhere" if lead.ahead and not lead.crossings else ", ".join(spans)
    return f'<td class="fewer">{where}{over}</td>'


def notes(results: Results) -> str:
    """What was skipped or left out, and why."""
    parts = []
    for title, found in (("Skipped", results.skipped), ("Left out", results.left_out)):
        if found:
            lines = "".join(
                f"<dt>{escape(name)}</dt><dd>{escape(why)}</dd>" for name, why in found.items()
            )
            parts.append(f"<h3>{title}</h3><dl>{lines}</dl>")
    return "".join(parts) or '<p class="under">Nothing was skipped, no metric was left out.</p>'


def definitions(results: Results) -> str:
    """What every metric means."""
    lines = []
    for name in results.measured():
        info = results.metric(name)
        way = {True: "higher is better", False: "lower is better", None: ""}[info.higher_is_better]
        about = ", ".join(part for part in (info.unit, way) if part)
        lines.append(
            f"<dt>{escape(info.label)} <code>{escape(name)}</code></dt>"
            f"<dd>{escape(info.definition)} <small>{escape(about)}</small></dd>"
        )
    return f"<dl>{''.join(lines)}</dl>"


def commands(results: Results, styles: Mapping[str, Style]) -> str:
    """How every codec was called, and what it was."""
    parts = []
    for codec, own in results.results.items():
        versions = {name: text for row in own for name, text in row.versions.items()}
        about = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in versions.items())
        lines = "".join(
            f"<p>{row.target_bpp:g} bpp"
            + "".join(f" <small>{escape(note)}</small>" for note in row.notes)
            + f"</p><pre>{escape(row.command) or '–'}</pre>"
            for row in own
        )
        parts.append(
            f"<details><summary>{chip(codec, styles)}</summary><dl>{about}</dl>{lines}</details>"
        )
    return "".join(parts)


def runs(several: Sequence[Results]) -> str:
    """Settings and machine of every run."""
    parts = []
    for one in several:
        facts = {"config": one.config, "environment": one.environment}
        text = json.dumps(facts, indent=2, ensure_ascii=False, default=str)
        parts.append(
            f"<details><summary>Settings and machine: {escape(one.name)}</summary>"
            f"<pre>{escape(text)}</pre></details>"
        )
    return "".join(parts)
