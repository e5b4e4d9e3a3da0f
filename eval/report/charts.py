"""The charts of the report as SVG: what lies where. `charts.html` holds the SVG itself.

Drawn here and not by a plotting library, which would be worse for the reader: Matplotlib's SVG has
no tips on its points and no dark colours, Vega and Plotly put megabytes of script into the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from scipy.optimize import isotonic_regression

from ..results.schema import Results, Row
from .drawing import Axis, Style, decimals, shown
from .templates import CSS, macro

__all__ = ["curve_chart", "speed_chart"]

WIDTH, HEIGHT = 560, 372
LEFT, RIGHT, TOP, BOTTOM = 58, 124, 40, 50
_LABEL = 16  # height of a codec's name beside its curve
_LOG_RATIO = 25  # values that differ by more are drawn on a logarithmic axis
_CHART_RULES = ("svg", ".s0", ".s4", ".mark", ".touch")

Ends = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Point:
    """A mark with its tip; `reach` is the radius in which the pointer finds it."""

    x: float
    y: float
    tip: str
    hollow: bool
    reach: int = 11
    ends: Ends | None = None


def curve_chart(
    results: Results, metric: str, styles: Mapping[str, Style], *, alone: bool = False
) -> Markup:
    """Rate–quality curves of one metric: its figure against the bits a pixel that were really used.

    Args:
        results: of one run, or of several laid over each other.
        metric: name in the rows' `values`.
        styles: see `drawing.styles_of`.
        alone: make a whole SVG file, with its own colours and a title.

    Returns:
        An `<svg>` element; empty where no row has the metric.
    """
    rows = {
        codec: sorted(
            (row for row in own if metric in row.values and row.bpp.get("video", 0) > 0),
            key=lambda row: row.bpp["video"],
        )
        for codec, own in results.results.items()
    }
    rows = {codec: own for codec, own in rows.items() if own}
    if not rows:
        return Markup()
    everything = [row for own in rows.values() for row in own]
    across, up = (
        _rate_axis([row.bpp["video"] for row in everything]),
        _figure_axis(everything, metric),
    )
    curves = [_curve(codec, own, results, metric, across, up) for codec, own in rows.items()]
    ticks = up.ticks(7)
    digits = _tick_digits(ticks)
    info = results.metric(metric)
    named = info.label + (f" in {info.unit}" if info.unit else "") + (" (log)" if up.log else "")
    chart = {
        **{"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT},
        **{"top": TOP, "bottom": HEIGHT - BOTTOM},
        "label": f"{info.label} against bits a pixel",
        "title": named if named != info.label else "",
        "figures": [(up.place(t), f"{t:g}" if up.log else shown(t, digits)) for t in ticks],
        "targets": [across.place(t) for t in results.targets if across.low <= t <= across.high],
        "rates": [(across.place(tick), f"{tick:g}") for tick in across.ticks(6)],
        "kbps": _kbps_ticks(across, everything),
        "curves": [
            {**curve, "style": styles[curve["codec"]], "name_y": y}
            for curve, y in zip(curves, _name_places(curves), strict=True)
        ],
        "css": _css() if alone else "",
        "heading": ", ".join(part for part in (info.label, info.direction) if part),
    }
    return macro("charts.html", "curves", chart)


def _css() -> Markup:
    """The page's colours and what of its rules charts use."""
    colours, rules = CSS.split("* {", 1)
    used = [line for line in rules.splitlines() if line.startswith(_CHART_RULES)]
    font = "svg { font-family: system-ui, sans-serif; }"
    return Markup("\n".join([colours + font, *used]))


def _rate_axis(rates: Sequence[float]) -> Axis:
    low, high = min(rates), max(rates)
    room = max((high / low) ** 0.05, 1.04 if high > 1.2 * low else 1.6)
    return Axis(low / room, high * room, LEFT, WIDTH - RIGHT, log=True)


def _figure_axis(rows: Sequence[Row], metric: str) -> Axis:
    values = [row.values[metric] for row in rows]
    values += [end for row in rows for end in row.ci.get(metric, ())]
    low, high = min(values), max(values)
    if low > 0 and high / low > _LOG_RATIO:
        room = (high / low) ** 0.05
        return Axis(low / room, high * room, HEIGHT - BOTTOM, TOP, log=True)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    start = 0.0 if 0 <= low < room else low - room
    return Axis(start, high + room, HEIGHT - BOTTOM, TOP)


def _tick_digits(ticks: Sequence[float]) -> int:
    if len(ticks) < 2:
        return 2
    return max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))


def _kbps_ticks(across: Axis, rows: Sequence[Row]) -> list[tuple[float, str]]:
    """A second axis in kbit/s, where all rows agree on what a bit a pixel is; else empty."""
    factors = sorted(
        row.kbps["video"] / row.bpp["video"] for row in rows if row.kbps.get("video", 0) > 0
    )
    if not factors or factors[-1] > 1.05 * factors[0]:
        return []
    factor = factors[len(factors) // 2]
    rates = Axis(across.low * factor, across.high * factor, across.start, across.end, log=True)
    return [(rates.place(tick), f"{tick:g}") for tick in rates.ticks(6)]


def _curve(
    codec: str, rows: Sequence[Row], results: Results, metric: str, across: Axis, up: Axis
) -> dict[str, Any]:
    points = []
    for row in rows:
        ci = row.ci.get(metric)
        ends = (up.place(ci[0]), up.place(ci[1])) if ci else None
        tip = _tip(codec, row, results, metric)
        x, y = across.place(row.bpp["video"]), up.place(row.values[metric])
        points.append(_Point(x, y, tip, not row.reached, ends=ends))
    line, band = "", ""
    if len(points) > 1:
        line = "L".join(f"{point.x} {point.y}" for point in points)
        sure = [(point.x, *point.ends) for point in points if point.ends]
        if len(sure) == len(points):
            edge = [f"{x} {high}" for x, _, high in sure]
            edge += [f"{x} {low}" for x, low, _ in reversed(sure)]
            band = "L".join(edge)
    return {"codec": codec, "points": points, "line": line, "band": band}


def _tip(codec: str, row: Row, results: Results, metric: str) -> str:
    info = results.metric(metric)
    digits = decimals([row.values[metric]]) + 1
    lines = [codec, f"{info.label} {shown(row.values[metric], digits)} {info.unit}".strip()]
    if metric in row.ci:
        low, high = row.ci[metric]
        lines.append(f"95 %: {shown(low, digits)} to {shown(high, digits)}")
    rate = f"{row.bpp['video']:.4g} bits a pixel"
    if row.kbps.get("video", 0) > 0:
        rate += f", {row.kbps['video']:.3g} kbit/s"
    reached = "reached" if row.reached else "not reached on every clip"
    return "\n".join([*lines, rate, f"target {row.target_bpp:g}: {reached}"])


def _name_places(curves: Sequence[Mapping[str, Any]]) -> list[float]:
    """Height of each codec's name: near the end of its curve, none over another."""
    ends = [curve["points"][-1].y for curve in curves]
    order = sorted(range(len(ends)), key=lambda index: ends[index])
    places = _apart([ends[index] for index in order], _LABEL, TOP, HEIGHT - BOTTOM)
    found = dict(zip(order, places, strict=True))
    return [round(found[index], 1) for index in range(len(ends))]


def _apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as can be to those wanted (sorted), each at least `gap` from the next.

    Labels that would overlap become a block around their middle (isotonic regression).
    """
    steps = min(gap, (high - low) / max(1, len(wanted) - 1)) * np.arange(len(wanted))
    places = isotonic_regression(np.asarray(wanted) - steps).x + steps
    return [float(place) for place in np.clip(places, low + steps, high - steps[::-1])]


def speed_chart(results: Results, styles: Mapping[str, Style]) -> Markup:
    """Frames a second of every codec, one line each: hollow marks encode, full ones decode.

    Args:
        results: of one run, or of several laid over each other.
        styles: see `drawing.styles_of`.

    Returns:
        An `<svg>` element; empty where no speed is known.
    """
    speeds = {
        codec: (
            [row.encode_fps for row in own if row.encode_fps],
            [row.decode_fps for row in own if row.decode_fps],
        )
        for codec, own in results.results.items()
    }
    speeds = {codec: both for codec, both in speeds.items() if any(both)}
    found = [fps for both in speeds.values() for own in both for fps in own if fps > 0]
    if not found:
        return Markup()
    left, step, top, right = 150, 30, 34, WIDTH + 180
    across = Axis(min(*found, 20) / 1.4, max(*found, 30) * 1.4, left, right, log=True)
    lines = []
    for index, (codec, (encode, decode)) in enumerate(speeds.items()):
        y = top + step * (index + 0.5)
        points = [
            _Point(
                across.place(fps), y + dy, f"{codec} {what}\n{fps:.3g} frames a second", hollow, 9
            )
            for what, hollow, dy, own in (
                ("encodes", True, -5, encode),
                ("decodes", False, 5, decode),
            )
            for fps in own
        ]
        line = {"codec": codec, "style": styles[codec], "points": points}
        lines.append(line | {"y": y, "bottom": y + step / 2})
    chart = {
        **{"left": left, "right": right, "top": top, "bottom": top + step * len(speeds)},
        "width": WIDTH + 200,
        "ticks": [(across.place(tick), f"{tick:g}") for tick in across.ticks(8)],
        "live": across.place(25),
        "lines": lines,
    }
    return macro("charts.html", "speeds", chart)
