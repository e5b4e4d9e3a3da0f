"""The charts of the report as SVG, drawn by hand: sharp at any size, coloured by the page's CSS."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from .drawing import Axis, Style, decimals, marker, shown
from .schema import Results, Row

__all__ = ["curve_chart", "speed_chart"]

WIDTH, HEIGHT = 560, 372
LEFT, RIGHT, TOP, BOTTOM = 58, 124, 40, 50
_LABEL = 16  # height of a codec's name beside its curve
_LETTERS = 18  # of a name before it is cut
_LOG_RATIO = 25  # values that differ by more are drawn on a logarithmic axis


@dataclass(frozen=True, slots=True)
class _Point:
    x: float
    y: float
    ends: tuple[float, float] | None
    row: Row


def curve_chart(results: Results, metric: str, styles: Mapping[str, Style]) -> str:
    """Rate–quality curves of one metric: figure against bits a pixel that were really used.

    Args:
        results: of one run, or several laid over each other.
        metric: name in the rows' `values`.
        styles: see `styles_of`.

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
        return ""
    everything = [row for own in rows.values() for row in own]
    across = _rate_axis([row.bpp["video"] for row in everything])
    up = _figure_axis(everything, metric)
    parts = [_frame(across, up, everything, results, metric)]
    names = []
    for codec, own in rows.items():
        points = [
            _Point(
                across.place(row.bpp["video"]),
                up.place(row.values[metric]),
                _ends(row, metric, up),
                row,
            )
            for row in own
        ]
        parts.append(_curve(codec, points, results, metric, styles[codec]))
        names.append((codec, points[-1]))
    parts.append(_names(names, styles))
    label = escape(f"{results.metric(metric).label} against bits a pixel")
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        + "".join(parts)
        + "</svg>"
    )


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


def _ends(row: Row, metric: str, up: Axis) -> tuple[float, float] | None:
    if metric not in row.ci:
        return None
    low, high = row.ci[metric]
    return up.place(low), up.place(high)


def _frame(across: Axis, up: Axis, rows: Sequence[Row], results: Results, metric: str) -> str:
    """Grid, ticks, titles, and where the targets are."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    ticks = up.ticks(7)
    digits = _tick_digits(ticks)
    for tick in ticks:
        y = up.place(tick)
        text = f"{tick:g}" if up.log else shown(tick, digits)
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 8}" y="{y + 4:.1f}">{text}</text>')
    for target in results.targets:
        if across.low <= target <= across.high:
            x = across.place(target)
            parts.append(f'<path class="target" d="M{x:.1f} {TOP}V{bottom}"/>')
    for tick in across.ticks(6):
        x = across.place(tick)
        parts.append(f'<path class="axis" d="M{x:.1f} {bottom}v5"/>')
        parts.append(f'<text class="tick mid" x="{x:.1f}" y="{bottom + 19}">{tick:g}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {bottom}H{right}"/>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text class="title mid" x="{middle:.0f}" y="{HEIGHT - 10}">'
        "bits a pixel used, without sound</text>"
    )
    parts.append(_rate_ticks(across, rows))
    info = results.metric(metric)
    unit = f" in {info.unit}" if info.unit else ""
    scale = " (log)" if up.log else ""
    if unit or scale:
        parts.append(f'<text class="title" x="6" y="14">{escape(info.label + unit + scale)}</text>')
    return "".join(parts)


def _tick_digits(ticks: Sequence[float]) -> int:
    if len(ticks) < 2:
        return 2
    return max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))


def _rate_ticks(across: Axis, rows: Sequence[Row]) -> str:
    """A second axis in kbit/s, where all rows agree on what a bit a pixel is."""
    factors = sorted(
        row.kbps["video"] / row.bpp["video"] for row in rows if row.kbps.get("video", 0) > 0
    )
    if not factors or factors[-1] > 1.05 * factors[0]:
        return ""
    factor = factors[len(factors) // 2]
    rates = Axis(across.low * factor, across.high * factor, across.start, across.end, log=True)
    parts = [f'<path class="axis" d="M{LEFT} {TOP}H{WIDTH - RIGHT}"/>']
    for tick in rates.ticks(6):
        x = rates.place(tick)
        parts.append(f'<path class="axis" d="M{x:.1f} {TOP}v-5"/>')
        parts.append(f'<text class="tick mid" x="{x:.1f}" y="{TOP - 9}">{tick:g}</text>')
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT + 10}" y="{TOP - 9}">kbit/s</text>')
    return "".join(parts)


def _curve(
    codec: str, points: Sequence[_Point], results: Results, metric: str, style: Style
) -> str:
    parts = []
    sure = [(point, point.ends) for point in points if point.ends is not None]
    if len(points) > 1 and len(sure) == len(points):
        edge = [f"{point.x:.1f} {ends[1]:.1f}" for point, ends in sure]
        edge += [f"{point.x:.1f} {ends[0]:.1f}" for point, ends in reversed(sure)]
        parts.append(f'<path class="band" d="M{"L".join(edge)}z"/>')
    for point, (low, high) in sure:
        parts.append(f'<path class="bar" d="M{point.x:.1f} {low:.1f}V{high:.1f}"/>')
    line = "L".join(f"{point.x:.1f} {point.y:.1f}" for point in points)
    if len(points) > 1:
        parts.append(f'<path class="line" d="M{line}"/>')
    for point in points:
        tip = escape(_tip(codec, point.row, results, metric))
        parts.append(
            f'<g class="pt" transform="translate({point.x:.1f} {point.y:.1f})">'
            f"<title>{tip}</title>"
            '<circle class="touch" r="11"/>'
            f"{marker(style, hollow=not point.row.reached)}</g>"
        )
    name = escape(codec)
    return f'<g class="series {style.classes}" data-codec="{name}">{"".join(parts)}</g>'


def _tip(codec: str, row: Row, results: Results, metric: str) -> str:
    info = results.metric(metric)
    digits = decimals([row.values[metric]]) + 1
    figure = f"{info.label} {shown(row.values[metric], digits)} {info.unit}".strip()
    lines = [codec, figure]
    if metric in row.ci:
        low, high = row.ci[metric]
        lines.append(f"95 %: {shown(low, digits)} to {shown(high, digits)}")
    rate = f"{row.bpp['video']:.4g} bits a pixel"
    if row.kbps.get("video", 0) > 0:
        rate += f", {row.kbps['video']:.3g} kbit/s"
    lines.append(rate)
    reached = "reached" if row.reached else "not reached on every clip"
    lines.append(f"target {row.target_bpp:g}: {reached}")
    return "\n".join(lines)


def _names(ends: Sequence[tuple[str, _Point]], styles: Mapping[str, Style]) -> str:
    """Codecs' names at the right, each near the end of its curve, none over another."""
    x = WIDTH - RIGHT + 12
    order = sorted(ends, key=lambda end: end[1].y)
    wanted = [end[1].y for end in order]
    places = _apart(wanted, _LABEL, TOP, HEIGHT - BOTTOM)
    parts = []
    for (codec, point), y in zip(order, places, strict=True):
        style = styles[codec]
        short = codec if len(codec) <= _LETTERS else codec[: _LETTERS - 1] + "…"
        parts.append(
            f'<g class="series name s{style.slot}" data-codec="{escape(codec)}">'
            f'<path class="lead" d="M{point.x + 7:.1f} {point.y:.1f}L{x - 3} {y:.1f}"/>'
            f'<text x="{x}" y="{y + 4:.1f}">{escape(short)}</text></g>'
        )
    return "".join(parts)


def _apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as can be to those wanted (sorted), each at least `gap` from the next.

    Pool-adjacent-violators: labels that would overlap become a block around their middle.
    """
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    blocks: list[tuple[float, int]] = []  # sum of (wanted place of the block's first), members
    for want in wanted:
        total, count = want, 1
        while blocks and blocks[-1][0] / blocks[-1][1] + gap * blocks[-1][1] > total / count:
            before, members = blocks.pop()
            total += before - gap * members * count
            count += members
        blocks.append((total, count))
    places = [total / count + gap * i for total, count in blocks for i in range(count)]
    floor = [low + gap * i for i in range(len(places))]
    ceiling = [high - gap * (len(places) - 1 - i) for i in range(len(places))]
    return [min(max(p, f), c) for p, f, c in zip(places, floor, ceiling, strict=True)]


def speed_chart(results: Results, styles: Mapping[str, Style]) -> str:
    """Frames a second of every codec, one line each: hollow marks encode, full ones decode."""
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
        return ""
    left, step, top = 150, 30, 34
    bottom = top + step * len(speeds)
    across = Axis(min(*found, 20) / 1.4, max(*found, 30) * 1.4, left, WIDTH + 180, log=True)
    parts = []
    for tick in across.ticks(8):
        x = across.place(tick)
        parts.append(f'<path class="grid" d="M{x:.1f} {top}V{bottom}"/>')
        parts.append(f'<text class="tick mid" x="{x:.1f}" y="{bottom + 19}">{tick:g}</text>')
    live = across.place(25)
    parts.append(f'<path class="live" d="M{live:.1f} {top - 4}V{bottom}"/>')
    parts.append(f'<text class="tick mid" x="{live:.1f}" y="{top - 12}">25 a second</text>')
    for i, (codec, (encode, decode)) in enumerate(speeds.items()):
        y = top + step * (i + 0.5)
        short = codec if len(codec) <= _LETTERS + 2 else codec[: _LETTERS + 1] + "…"
        style = styles[codec]
        dots = []
        for hollow, own, dy in ((True, encode, -5), (False, decode, 5)):
            what = "encodes" if hollow else "decodes"
            dots += [
                f'<g class="pt" transform="translate({across.place(fps):.1f} {y + dy:.1f})">'
                f"<title>{escape(f'{codec} {what}')}\n{fps:.3g} frames a second</title>"
                f'<circle class="touch" r="9"/>{marker(style, hollow=hollow)}</g>'
                for fps in own
            ]
        parts.append(f'<path class="grid" d="M{left} {y + step / 2}H{WIDTH + 180}"/>')
        parts.append(
            f'<g class="series s{style.slot}" data-codec="{escape(codec)}">'
            f'<text class="end" x="{left - 12}" y="{y + 4}">{escape(short)}</text>'
            f"{''.join(dots)}</g>"
        )
    return (
        f'<svg class="chart speed" viewBox="0 0 {WIDTH + 200} {bottom + 28}" role="img" '
        f'aria-label="frames a second">{"".join(parts)}</svg>'
    )
