"""Results as CSV: one line a row, or one line a clip."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from ...codec.whole_file import whole_path
from .schema import BITS, SUMS, Results, Row

__all__ = ["write_clips_csv", "write_csv"]

_KINDS = (*BITS, *SUMS)


def write_csv(results: Results, path: Path) -> None:
    """One line a codec and target: rates by kind, metrics with the ends of their intervals."""
    rows = results.rows()
    with_ends = {name for row in rows for name in row.ci}
    counts = sorted({name for row in rows for name in row.counts})
    columns = [
        column
        for name in results.measured()
        for column in ([name, f"{name}_low", f"{name}_high"] if name in with_ends else [name])
    ]
    header = ["codec", "target_bpp", "reached", "clips", "frames"]
    header += [f"bpp_{kind}" for kind in _KINDS] + [f"kbps_{kind}" for kind in _KINDS] + columns
    header += [f"count_{name}" for name in counts]
    header += ["encode_fps", "decode_fps", "command", "versions", "notes"]
    lines = [
        [codec, *_cells(row, columns, counts)]
        for codec, own in results.results.items()
        for row in own
    ]
    _write_table(path, header, lines)


def _cells(row: Row, columns: Sequence[str], counts: Sequence[str]) -> list[object]:
    figures: dict[str, float] = {}
    for name, (low, high) in row.ci.items():
        figures |= {f"{name}_low": low, f"{name}_high": high}
    figures |= row.values
    versions = "; ".join(f"{name} {version}" for name, version in row.versions.items())
    return [
        row.target_bpp,
        "yes" if row.reached else "no",
        row.clips,
        row.frames,
        *(row.bpp.get(kind) for kind in _KINDS),
        *(row.kbps.get(kind) for kind in _KINDS),
        *(figures.get(column) for column in columns),
        *(row.counts.get(name) for name in counts),
        *(row.encode_fps, row.decode_fps, row.command, versions, " ".join(row.notes)),
    ]


def write_clips_csv(results: Results, path: Path) -> None:
    """One line a codec, target and clip."""
    pairs = [(codec, entry) for codec, own in results.clips.items() for entry in own]
    metrics = results.in_order({name for _, entry in pairs for name in entry.values})
    header = ["codec", "target_bpp", "clip", "reached", *(f"bpp_{kind}" for kind in _KINDS)]
    lines = [
        [
            *(codec, entry.target_bpp, entry.clip, "yes" if entry.reached else "no"),
            *(entry.bpp.get(kind) for kind in _KINDS),
            *(entry.values.get(name) for name in metrics),
            entry.note,
        ]
        for codec, entry in pairs
    ]
    _write_table(path, [*header, *metrics, "note"], lines)


def _write_table(path: Path, header: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    with (
        whole_path(path, overwrite=True) as draft,
        draft.open("w", encoding="utf-8", newline="") as file,
    ):
        csv.writer(file).writerows([_cell(value) for value in line] for line in [header, *lines])


def _cell(value: object) -> object:
    """Spreadsheets run what begins like a formula; a quote before it keeps a name a name."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
