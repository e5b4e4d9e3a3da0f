"""`results.json` on disk, as a spreadsheet, as a table in a terminal; several of them as one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from ..codec.errors import ConfigError
from ..codec.whole_file import whole_path
from .comparison import kept_to_rate
from .schema import BITS, VERSION, BdRow, ClipFigures, FrameSet, MetricInfo, Results, Row

__all__ = [
    "BITS",
    "VERSION",
    "BdRow",
    "ClipFigures",
    "FrameSet",
    "MetricInfo",
    "Results",
    "Row",
    "overlay",
    "read_results",
    "text_table",
    "write_clips_csv",
    "write_csv",
    "write_results",
    "write_whole",
]

MAX_BYTES = 256 << 20  # of a results file: a million clips by a codec
_SUMS = ("video", "total")
_TABLE = ("fid", "lpips", "dists", "psnr", "lmd_mouth", "identity_cosine")


def write_results(results: Results, path: Path) -> None:
    """Write `results.json`; appears whole or not at all.

    Raises:
        ConfigError: a metric that has the name of one of a row's own keys.
        OSError: the disk is full, or the folder cannot be written to.
    """
    text = json.dumps(results.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(path, lambda file: file.write(text + "\n"))


def read_results(path: Path) -> Results:
    """Read and check a `results.json`.

    Raises:
        ConfigError: not JSON (or cut off), of another version, or not of the schema.
        OSError: cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"larger than {MAX_BYTES >> 20} MiB")
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_constant)
        return Results.from_json(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply to be codec-eval's results") from error
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise ConfigError(f"{path}: not JSON, or cut off: {error}") from error


def _no_constant(name: str) -> NoReturn:
    raise ConfigError(f"{name} is not a number that JSON knows")


def write_whole(path: Path, write: Callable[[TextIO], object]) -> None:
    """Write a text file that appears only when it is complete."""
    with (
        whole_path(path, overwrite=True) as draft,
        draft.open("w", encoding="utf-8", newline="") as file,
    ):
        write(file)


# --- spreadsheets -------------------------------------------------------------------------------


def write_csv(results: Results, path: Path) -> None:
    """One line a codec and target: rates by kind, metrics with the ends of their intervals."""
    metrics = results.measured()
    rows = [row for rows in results.results.values() for row in rows]
    with_ends = [name for name in metrics if any(name in row.ci for row in rows)]
    counts = sorted({name for row in rows for name in row.counts})
    header = ["codec", "target_bpp", "reached", "clips", "frames"]
    header += [f"bpp_{kind}" for kind in (*BITS, *_SUMS)]
    header += [f"kbps_{kind}" for kind in (*BITS, *_SUMS)]
    for name in metrics:
        header += [name, f"{name}_low", f"{name}_high"] if name in with_ends else [name]
    header += [f"count_{name}" for name in counts]
    header += ["encode_fps", "decode_fps", "command", "versions", "notes"]
    lines = []
    for codec, own in results.results.items():
        for row in own:
            line: list[object] = [codec, row.target_bpp, _yes(row.reached), row.clips, row.frames]
            line += [row.bpp.get(kind) for kind in (*BITS, *_SUMS)]
            line += [row.kbps.get(kind) for kind in (*BITS, *_SUMS)]
            for name in metrics:
                line.append(row.values.get(name))
                if name in with_ends:
                    line += row.ci.get(name, (None, None))
            line += [row.counts.get(name) for name in counts]
            versions = "; ".join(f"{name} {version}" for name, version in row.versions.items())
            line += [row.encode_fps, row.decode_fps, row.command, versions, " ".join(row.notes)]
            lines.append(line)
    _write_table(path, header, lines)


def write_clips_csv(results: Results, path: Path) -> None:
    """One line a codec, target and clip."""
    entries = [entry for entries in results.clips.values() for entry in entries]
    found = {name for entry in entries for name in entry.values}
    metrics = [name for name in results.metrics if name in found]
    metrics += sorted(found - set(metrics))
    kinds = (*BITS, *_SUMS)
    header = ["codec", "target_bpp", "clip", "reached", *(f"bpp_{kind}" for kind in kinds)]
    lines = [
        [
            codec,
            entry.target_bpp,
            entry.clip,
            _yes(entry.reached),
            *(entry.bpp.get(kind) for kind in kinds),
            *(entry.values.get(name) for name in metrics),
            entry.note,
        ]
        for codec, own in results.clips.items()
        for entry in own
    ]
    _write_table(path, [*header, *metrics, "note"], lines)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _write_table(path: Path, header: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    def write(file: TextIO) -> None:
        out = csv.writer(file)
        out.writerow([_cell(name) for name in header])
        out.writerows([_cell(value) for value in line] for line in lines)

    write_whole(path, write)


def _cell(value: object) -> object:
    """Spreadsheets run what begins like a formula; a quote before it keeps a name a name."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


# --- terminal -----------------------------------------------------------------------------------


def text_table(results: Results, target: float) -> str:
    """A short table of one target for a terminal; a star marks a rate that was not reached.

    Args:
        results: of a run.
        target: one of its `targets`, bits a pixel.
    """
    metrics = [name for name in _TABLE if name in results.measured()]
    rows = [(codec, row) for codec in results.codecs if (row := results.row(codec, target))]
    if not rows:
        return f"{target:g} bpp: nothing was measured"
    ranked = [row for _, row in rows if kept_to_rate(row)]
    best = {name: _best(results, name, ranked) for name in metrics}
    table = [["codec", "bpp", "kbit/s", *(_heading(results, name) for name in metrics)]]
    for codec, row in rows:
        line = [codec, _short(row.bpp.get("video")) + ("" if row.reached else "*")]
        line.append(_short(row.kbps.get("video")))
        for name in metrics:
            value = row.values.get(name)
            won = row in ranked and value is not None and value == best[name]
            line.append(_short(value) + ("!" if won else " "))
        table.append(line)
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    shown = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
    frames = max(row.frames for _, row in rows)
    clips = max(row.clips for _, row in rows)
    foot = ["! best" if len(ranked) == len(rows) else "! best of those that kept to the rate"]
    if not all(row.reached for _, row in rows):
        foot.append("* not within 1 % of the target on every clip")
    title = f"{target:g} bits a pixel, {clips} clips, {frames} frames (picture; sound not counted)"
    return "\n".join([title, *shown, "; ".join(foot)])


def _heading(results: Results, name: str) -> str:
    info = results.metric(name)
    arrow = {True: "↑", False: "↓", None: ""}[info.higher_is_better]
    return f"{info.label} {arrow}".strip()


def _best(results: Results, name: str, rows: Sequence[Row]) -> float | None:
    higher = results.metric(name).higher_is_better
    values = [row.values[name] for row in rows if name in row.values]
    if higher is None or len(values) < 2:
        return None
    return max(values) if higher else min(values)


def _short(value: float | None) -> str:
    if value is None:
        return "–"
    size = abs(value)
    return f"{value:.{4 if size < 0.1 else 3 if size < 1 else 2 if size < 100 else 1}f}"


# --- several files ------------------------------------------------------------------------------


def overlay(several: Sequence[Results]) -> Results:
    """Lay results over each other, as if they were of one run.

    A codec that several runs have is called `codec (name of the run)` in each of them. Metrics are
    described as in the first that knows them; pictures are kept where there is one run alone.

    Raises:
        ConfigError: nothing to lay.
    """
    if not several:
        raise ConfigError("give at least one results.json")
    if len(several) == 1:
        return several[0]
    runs = _different([one.name for one in several])
    names = _renamed(several, runs)
    pairs = list(zip(several, names, strict=True))
    metrics: dict[str, MetricInfo] = {}
    for one in reversed(several):
        metrics = {**metrics, **one.metrics}
    order = [name for one in several for name in one.metrics]
    return Results(
        " + ".join(runs),
        " · ".join(dict.fromkeys(one.description for one in several if one.description)),
        {run: one.environment for run, one in zip(runs, several, strict=True)},
        {
            "anchor": _common_anchor(pairs),
            **{run: one.config for run, one in zip(runs, several, strict=True)},
        },
        {name: metrics[name] for name in dict.fromkeys(order)},
        {name[codec]: rows for one, name in pairs for codec, rows in one.results.items()},
        {name[codec]: rows for one, name in pairs for codec, rows in one.clips.items()},
        _merged(runs, [one.left_out for one in several]),
        _merged(runs, [one.skipped for one in several]),
    )


def _different(names: Sequence[str]) -> list[str]:
    """Names of runs, numbered where two have the same."""
    taken: list[str] = []
    for name in names:
        fresh, number = name, 1
        while fresh in taken:
            number += 1
            fresh = f"{name} {number}"
        taken.append(fresh)
    return taken


def _renamed(several: Sequence[Results], runs: Sequence[str]) -> list[dict[str, str]]:
    """New name of each codec of each run: its own where no other run has it."""
    codecs = [list(dict.fromkeys([*one.results, *one.clips])) for one in several]
    wanted = [
        f"{codec} ({run})" if sum(codec in other for other in codecs) > 1 else codec
        for own, run in zip(codecs, runs, strict=True)
        for codec in own
    ]
    fresh = iter(_different(wanted))
    return [{codec: next(fresh) for codec in own} for own in codecs]


def _common_anchor(pairs: Sequence[tuple[Results, Mapping[str, str]]]) -> str:
    """The first run's anchor, under its new name."""
    one, names = pairs[0]
    anchor = str(one.config.get("anchor", ""))
    return names.get(anchor, anchor)


def _merged(runs: Sequence[str], notes: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Notes of all runs; what not all of them say is signed with the run."""
    merged: dict[str, str] = {}
    for run, own in zip(runs, notes, strict=True):
        for key, why in own.items():
            if all(other.get(key) == why for other in notes):
                merged[key] = why
            else:
                merged[f"{key} ({run})"] = why
    return merged
