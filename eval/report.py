"""`report.html`: one page that needs nothing else, made from results alone.

Curves come first, then figures and frames at each rate. The page is written here in full; its
script only hides and shows, so that it reads without one and prints.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from ..codec.errors import ConfigError
from . import report_tables as tables
from .drawing import Style, decimals, shown, styles_of
from .plots import HEIGHT, WIDTH, curve_chart, speed_chart
from .report_words import chip, matrix, sentences
from .resultfile import overlay, write_whole
from .schema import FrameSet, Results
from .statistics import MIN_CLIPS

__all__ = ["page", "write_chart", "write_report"]

_CHARTS = ("lpips", "fid", "dists", "psnr")
_CHART_RULES = ("svg", ".s0", ".s4", ".mark", ".touch")
_MAX_PICTURE = 4 << 20
_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
_TEMPLATE = Path(__file__).with_name("report_template.html")


def write_report(results: Sequence[Results], out: Path, frames: Path | None = None) -> None:
    """Write a report of one run, or of several laid over each other.

    Args:
        results: what `resultfile.read_results` gives.
        out: the page to write; appears whole or not at all.
        frames: folder that the paths in `Results.frames` are relative to; None: no pictures.

    Raises:
        ConfigError: no results.
        OSError: the page cannot be written.
    """
    text = page(results, frames)
    write_whole(out, lambda file: file.write(text))


def write_chart(several: Sequence[Results], metric: str, out: Path) -> None:
    """Write one rate-quality chart as an SVG that needs no page around it.

    Args:
        several: results, laid over each other.
        metric: name as in `results.json`.
        out: appears whole or not at all.

    Raises:
        ConfigError: no results, or none that have the metric.
        OSError: the file cannot be written.
    """
    results = overlay(several)
    chart = curve_chart(results, metric, styles_of(results.codecs))
    if not chart:
        there = ", ".join(results.measured())
        raise ConfigError(f"nothing here has {metric!r}; there are {there}")
    style = _TEMPLATE.read_text(encoding="utf-8").split("<style>")[1].split("</style>")[0]
    colours, rules = style.split("* {", 1)
    used = [line for line in rules.splitlines() if line.startswith(_CHART_RULES)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
    body = chart.replace("<svg ", head, 1)
    at = body.index(">") + 1
    font = "svg { font-family: system-ui, sans-serif; }"
    inside = f"<style>{colours}{font}\n" + "\n".join(used) + "</style>"
    known = results.metrics[metric]
    better = {True: ", more is better", False: ", less is better", None: ""}
    title = escape(known.label + better[known.higher_is_better])
    inside += '<rect width="100%" height="100%" style="fill: var(--card)"/>'
    inside += f'<text x="8" y="16" style="font-weight: 600">{title}</text>'
    write_whole(out, lambda file: file.write(body[:at] + inside + body[at:]))


def page(several: Sequence[Results], frames: Path | None = None) -> str:
    """The report as HTML; see `write_report`."""
    results = overlay(several)
    styles = styles_of(results.codecs)
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(results.name or "codec-eval"),
        description=escape(results.description),
        facts=_facts(results, several),
        warning=_warning(results, several),
        sentences="".join(f"<p>{text}</p>" for text in sentences(results)),
        matrix=matrix(results, styles),
        legend=_legend(results, styles),
        charts=_charts(results, styles, [m for m in _CHARTS if m in results.measured()]),
        more=_more(results, styles),
        tabs=_tabs(results),
        rates="".join(_at(results, target, styles, frames) for target in results.targets),
        bd=tables.bd_table(results, styles),
        leads=tables.leads_table(results, styles),
        speed=speed_chart(results, styles) + tables.speed_table(results, styles),
        notes=tables.notes(results),
        definitions=tables.definitions(results),
        commands=tables.commands(results, styles),
        runs=tables.runs(several),
    )


def _facts(results: Results, several: Sequence[Results]) -> str:
    """The line under the title."""
    rows = [row for rows in results.results.values() for row in rows]
    clips, frames = (
        max((r.clips for r in rows), default=0),
        max((r.frames for r in rows), default=0),
    )
    facts = [
        _count(clips, "clip"),
        _count(frames, "frame"),
        _count(len(results.codecs), "codec"),
        _count(len(results.targets), "rate"),
    ]
    if len(several) > 1:
        facts.append(f"{len(several)} runs laid over each other")
    return "".join(f"<li>{fact}</li>" for fact in facts)


def _count(number: int, what: str) -> str:
    shown_number = f"{number:,}".replace(",", " ")
    return f"<b>{shown_number}</b> {what}{'' if number == 1 else 's'}"


def _warning(results: Results, several: Sequence[Results]) -> str:
    lines = []
    if results.skipped:
        lines.append(f'{_count(len(results.skipped), "part")} skipped: <a href="#notes">why</a>.')
    if any(one.config.get("interrupted") for one in several):
        lines.append("The run was interrupted: these are the figures that were ready.")
    rows = [row for own in results.results.values() for row in own]
    if rows and max(row.clips for row in rows) < MIN_CLIPS:
        lines.append(
            f"With fewer than {MIN_CLIPS} clips there are no intervals: differences here "
            "may be luck."
        )
    if not rows:
        lines.append("Nothing was measured.")
    clips = [{row.clip for rows in one.clips.values() for row in rows} for one in several]
    if any(found != clips[0] for found in clips):
        lines.append(
            "The runs are not about the same clips: means do not compare between them; "
            "differences are taken over the clips that both have."
        )
    return f'<div class="warning">{" ".join(lines)}</div>' if lines else ""


def _legend(results: Results, styles: Mapping[str, Style]) -> str:
    return "".join(
        f'<button type="button" data-codec="{escape(codec)}" aria-pressed="true">'
        f"{chip(codec, styles)}</button>"
        for codec in results.codecs
    )


def _charts(results: Results, styles: Mapping[str, Style], metrics: Sequence[str]) -> str:
    figures = []
    for name in metrics:
        drawing = curve_chart(results, name, styles)
        if drawing:
            info = results.metric(name)
            way = {True: "↑ higher is better", False: "↓ lower is better", None: ""}
            figures.append(
                f'<figure data-metric="{escape(name)}"><figcaption><b>{escape(info.label)}</b> '
                f"<small>{way[info.higher_is_better]}</small></figcaption>{drawing}</figure>"
            )
    return "".join(figures)


def _more(results: Results, styles: Mapping[str, Style]) -> str:
    """All other metrics, one chart each; the script shows one at a time."""
    rest = [name for name in results.measured() if name not in _CHARTS]
    drawings = _charts(results, styles, rest)
    if not drawings:
        return ""
    options = "".join(
        f'<option value="{escape(name)}">{escape(results.metric(name).label)}</option>'
        for name in rest
    )
    return (
        '<div class="choose"><label for="metric">Any other metric</label>'
        f'<select id="metric">{options}</select></div><div id="more">{drawings}</div>'
    )


def _tabs(results: Results) -> str:
    return "".join(
        f'<button type="button" role="tab" data-target="{target:g}">{target:g}</button>'
        for target in results.targets
    )


def _at(results: Results, target: float, styles: Mapping[str, Style], frames: Path | None) -> str:
    """Everything at one rate."""
    return (
        f'<section class="at" data-target="{target:g}"><h3 class="rate">{target:g} bits a pixel'
        f"</h3>{tables.figures_table(results, target, styles)}"
        f"{tables.all_figures(results, target, styles)}"
        f"{_frames(results, target, styles, frames)}"
        f"{tables.bits_bars(results, target, styles)}</section>"
    )


def _frames(
    results: Results, target: float, styles: Mapping[str, Style], folder: Path | None
) -> str:
    """Frames beside each other; a sentence where there are none."""
    sets = [entry for entry in results.frames if entry.target_bpp == target]
    strips = [_strip(results, entry, styles, folder) for entry in sets] if folder else []
    strips = [strip for strip in strips if strip]
    title = "<h3>Frames at the same time stamp</h3>"
    if not strips:
        why = "they were not kept" if not sets else "their files are not beside the results"
        return f'{title}<p class="under">No pictures here: {why}.</p>'
    return (
        f'{title}<p class="under hint">Press and hold a picture to see the true frame in its '
        f"place.</p>{''.join(strips)}"
    )


def _strip(
    results: Results, entry: FrameSet, styles: Mapping[str, Style], folder: Path | None
) -> str:
    if folder is None:
        return ""
    order = ["truth", *(codec for codec in results.codecs if codec in entry.images)]
    found = {name: _data_uri(folder, entry.images.get(name, "")) for name in order}
    if not any(found.values()):
        return ""
    pictures = []
    for name, uri in found.items():
        what = chip(name, styles) if name != "truth" else '<span class="codec">original</span>'
        image = (
            f'<img src="{uri}" alt="{escape(name)}" loading="lazy" draggable="false">'
            if uri
            else '<div class="nothing">no picture</div>'
        )
        pictures.append(
            f'<figure class="picture">{image}<figcaption>{what}{_figure(results, entry, name)}'
            "</figcaption></figure>"
        )
    return (
        f'<div class="strip"><h4>{escape(entry.rank)} clip <small>{escape(entry.clip)}, frame '
        f"{entry.index}</small></h4><div>{''.join(pictures)}</div></div>"
    )


def _figure(results: Results, entry: FrameSet, codec: str) -> str:
    """LPIPS of the whole clip, and its rate."""
    for row in results.clips.get(codec, ()):
        if row.clip == entry.clip and row.target_bpp == entry.target_bpp:
            lpips = row.values.get("lpips")
            text = "" if lpips is None else f"LPIPS {shown(lpips, decimals([lpips]))}, "
            rate = row.bpp.get("video")
            return f"<small>{text}{f'{rate:.3g} bpp' if rate else ''}</small>"
    return ""


def _data_uri(folder: Path, name: str) -> str:
    """A picture inside the page; empty where it is not there, or not a picture in `folder`."""
    if not name:
        return ""
    try:
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()) or path.stat().st_size > _MAX_PICTURE:
            return ""
        data = path.read_bytes()
    except (OSError, ValueError):  # ValueError: a null character in the name
        return ""
    kind = next((kind for magic, kind in _TYPES.items() if data.startswith(magic)), None)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}" if kind else ""
