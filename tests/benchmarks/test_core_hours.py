"""The curve of LPIPS against core hours."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from benchmarks.core_hours_chart import chart

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture
def rows() -> list[dict[str, str]]:
    with (DOCS / "core-hours.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_picture_in_the_docs_shows_the_table(rows: list[dict[str, str]]) -> None:
    assert (DOCS / "core-hours.svg").read_text(encoding="utf-8") == chart(rows)
    page = (DOCS / "training.md").read_text(encoding="utf-8")
    for row in rows:
        figures = f"| {float(row['lpips']):.4f} | {float(row['face_lpips']):.4f} |"
        assert any(row["weights"] in line and figures in line for line in page.splitlines())


def test_every_row_is_a_point_and_a_lower_figure_lies_lower(rows: list[dict[str, str]]) -> None:
    assert chart(rows).count("<circle") == 2 * len(rows)
    one = {"size": "s", "hours": "2", "lpips": "0.2", "face_lpips": "0.1"}
    drawn = chart([one])
    heights = [float(part.split('"')[0]) for part in drawn.split(' cy="')[1:]]
    assert heights[0] < heights[1]
