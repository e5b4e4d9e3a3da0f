"""`report.html`: one page that needs nothing else, made from results alone.

Curves come first, then figures and frames at each rate. The page is complete as it is written: its
script only hides and shows, so that it also reads without a script and can be printed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from ...codec.errors import ConfigError
from ...codec.whole_file import whole_path
from ..results.overlay import overlay
from ..results.schema import Results
from ..statistics.intervals import MIN_CLIPS
from . import words
from .charts import curve_chart, speed_chart
from .drawing import Style, styles_of
from .tables import table_values
from .templates import render

__all__ = ["page", "write_chart", "write_report"]

_LEADING = ("lpips", "fid", "dists", "psnr", "face_lpips")


def write_report(results: Sequence[Results], out: Path, frames: Path | None = None) -> None:
    """Write a report of one run, or of several laid over each other.

    Args:
        results: what `results.file.read_results` gives.
        out: the page to write; it appears whole or not at all.
        frames: folder that the paths in `Results.frames` are relative to; None: no pictures.

    Raises:
        ConfigError: there are no results.
        OSError: the page cannot be written.
    """
    text = page(results, frames)
    with whole_path(out, overwrite=True) as draft:
        draft.write_text(text, encoding="utf-8")


def write_chart(several: Sequence[Results], metric: str, out: Path) -> None:
    """Write one rate-quality chart as an SVG that needs no page around it.

    Args:
        several: results, which are laid over each other.
        metric: name as in `results.json`.
        out: the file to write; it appears whole or not at all.

    Raises:
        ConfigError: there are no results, or none that have the metric.
        OSError: the file cannot be written.
    """
    results = overlay(several)
    chart = curve_chart(results, metric, styles_of(results.codecs), alone=True)
    if not chart:
        there = ", ".join(results.measured())
        raise ConfigError(f"nothing here has {metric!r}; there are {there}")
    with whole_path(out, overwrite=True) as draft:
        draft.write_text(chart, encoding="utf-8")


def page(several: Sequence[Results], frames: Path | None = None) -> str:
    """The report as HTML; see `write_report`."""
    results = overlay(several)
    styles = styles_of(results.codecs)
    measured, note = results.measured(), words.fid_note(results)
    leading = [name for name in _LEADING if name in measured and not (name == "fid" and note)][:4]
    values = {
        "results": results,
        "several": several,
        "facts": _facts(results, several),
        "few_clips": MIN_CLIPS,
        "other_clips": any(_clips(one) != _clips(results) for one in several),
        "count": words.count,
        "sentences": words.sentences(results),
        "headline": words.headline(results),
        "fid_note": note,
        "leading": leading,
        "others": [name for name in measured if name not in leading],
        "cpu_time": all(one.config.get("speed") == "cpu" for one in several),
        "style_of": lambda codec: styles.get(codec, Style(0, 0)),
        "curve_chart": functools.partial(curve_chart, results, styles=styles),
        "speed_chart": functools.partial(speed_chart, results, styles),
    }
    return render("page.html", values | table_values(results, several, frames))


def _clips(results: Results) -> set[str]:
    return {row.clip for rows in results.clips.values() for row in rows}


def _facts(results: Results, several: Sequence[Results]) -> list[str]:
    """The line under the title."""
    rows = results.rows()
    facts: list[str] = [
        words.count(max((row.clips for row in rows), default=0), "clip"),
        words.count(max((row.frames for row in rows), default=0), "frame"),
        words.count(len(results.codecs), "codec"),
        words.count(len(results.targets), "rate"),
    ]
    if len(several) > 1:
        facts.append(f"{len(several)} runs laid over each other")
    return facts
