"""Draws the curve of LPIPS against core hours in `docs/training.md`.

    python benchmarks/core_hours_chart.py docs/core-hours.csv docs/core-hours.svg

The CSV has the columns `size`, `weights`, `hours` (of a core, since the beginning), and the figures
that `benchmarks/core_hours.py` gives for these weights.
"""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 300, 56, 16, 16, 44
SERIES = (("lpips", "whole picture"), ("face_lpips", "face"))
COLOURS = {"s": "#0b6fc2", "xs": "#cf4a0a"}
INK = "#7a8593"  # can be read on white and on black


def chart(rows: list[dict[str, str]]) -> str:
    """The chart as SVG; `rows` are those of the CSV."""
    hours = math.ceil(max(float(row["hours"]) for row in rows))
    most = math.ceil(20 * max(float(row[name]) for row in rows for name, _ in SERIES)) / 20

    def at(row: dict[str, str], name: str) -> tuple[float, float]:
        return place(float(row["hours"]), float(row[name]))

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + x / hours * (WIDTH - LEFT - RIGHT)
        return round(across, 1), round(HEIGHT - BOTTOM - y / most * (HEIGHT - TOP - BOTTOM), 1)

    parts = []
    for step in range(round(20 * most) + 1):
        (x0, y), (x1, _) = place(0, step / 20), place(hours, step / 20)
        parts.append(f'<path d="M{x0} {y}H{x1}" stroke="{INK}" stroke-opacity=".3"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{step / 20:.2f}", "end"))
    for hour in range(hours + 1):
        x, y = place(hour, 0)
        parts.append(_text(x, y + 16, f"{hour}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "core hours", "middle"))
    for size in dict.fromkeys(row["size"] for row in rows):
        colour, points = COLOURS[size], [row for row in rows if row["size"] == size]
        for name, label in SERIES:
            places = [at(row, name) for row in points]
            line = "L".join(f"{x} {y}" for x, y in places)
            dashed = ' stroke-dasharray="5 4"' if name == "face_lpips" else ""
            parts.append(f'<path d="M{line}" fill="none" stroke="{colour}"{dashed}/>')
            parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
            x, y = places[-1 if size == "s" else 0]  # where no other curve is near
            parts.append(_text(x, y + 18, f"{size}, {label}", "middle", colour))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="LPIPS against core hours" '
        'font-family="sans-serif" font-size="12">'
    )
    return "\n".join([head, *parts, "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{text}</text>'


def main() -> None:
    with Path(sys.argv[1]).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    Path(sys.argv[2]).write_text(chart(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
