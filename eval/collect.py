"""From single figures to results: means, intervals, FID over all clips, BD-rates, pictures."""

from __future__ import annotations

import os
import platform
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.errors import FacewireError
from ..codec.picture.still import StillCodec, encode_picture
from ..codec.whole_file import whole_file
from .cache import digest
from .catalogue import METRICS
from .codecs.facewire import AUDIO_KBPS
from .codecs.registry import make_codecs
from .codecs.search import TOLERANCE
from .comparison import bd_rates
from .measure import Figures
from .metrics.distribution import FrechetDistance, Inception, kid
from .report import write_report
from .resultfile import write_clips_csv, write_csv, write_results
from .schema import BdRow, ClipFigures, FrameSet, Results, Row
from .statistics import mean, mean_intervals
from .sweep import ClipRow, SweepConfig, SweepOutcome, frame_of, truth_of

__all__ = ["collect", "write_all"]

_KID_FRAMES = 4000  # features of a row that KID chooses its subsets from
_PACKAGES = ("facewire", "torch", "torchmetrics", "openvino", "mediapipe", "av", "numpy")


def collect(
    outcome: SweepOutcome,
    config: SweepConfig,
    *,
    name: str,
    description: str,
    command: str,
    anchor: str,
) -> Results:
    """Results of a run.

    Args:
        outcome: of `sweep.run_sweep`.
        config: of the same run.
        name: of the run.
        description: a line for readers.
        command: as it was typed.
        anchor: codec that BD-rates compare with, where it is among them.
    """
    groups: dict[tuple[str, float], list[ClipRow]] = {}
    for row in outcome.rows:
        groups.setdefault((row.codec, row.target_bpp), []).append(row)
    versions = _versions(config)
    rows: dict[str, list[Row]] = defaultdict(list)
    clips: dict[str, list[ClipFigures]] = defaultdict(list)
    for (codec, _), group in groups.items():
        rows[codec].append(_row(group, outcome, config, versions.get(codec, {})))
        clips[codec] += [_clip(row) for row in group]
    results = {codec: tuple(found) for codec, found in rows.items()}
    found = Results(
        name,
        description,
        environment(),
        {
            "command": command,
            "anchor": anchor,
            "targets_bpp": list(config.targets),
            "tolerance": TOLERANCE,
            "size": config.size,
            "seconds": config.seconds,
            "every": config.every,
            "vgg_every": config.vgg_every,
            "audio_kbps": AUDIO_KBPS,
            "inception_resize": Inception.RESIZE,
            "data": config.data.name,
            "interrupted": outcome.interrupted,
        },
        METRICS,
        results,
        {codec: tuple(found) for codec, found in clips.items()},
        outcome.left_out,
        outcome.skipped,
    )
    return replace(found, bd_rate=tuple(_bd_rows(found, anchor)))


def write_all(results: Results, outcome: SweepOutcome, config: SweepConfig, out: Path) -> Results:
    """Write `results.json`, CSV, pictures and the report into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    frames = tuple(_pictures(outcome, config, out))
    results = replace(results, frames=frames)
    write_results(results, out / "results.json")
    write_csv(results, out / "results.csv")
    write_clips_csv(results, out / "clips.csv")
    write_report([results], out / "report.html", out)
    return results


def _row(
    group: list[ClipRow], outcome: SweepOutcome, config: SweepConfig, versions: dict[str, str]
) -> Row:
    pixels = sum(row.frames * row.pixels for row in group)
    seconds = sum(row.seconds for row in group)
    bits: dict[str, int] = defaultdict(int)
    counts: dict[str, int] = defaultdict(int)
    for row in group:
        for part, number in row.bits().items():
            bits[part] += number
        for kind, number in row.figures.counts.items():
            counts[kind] += number
    frames = sum(row.frames for row in group)
    names = sorted({name for row in group for name in row.figures.values})
    table = np.array([[row.figures.values.get(n, np.nan) for n in names] for row in group])
    table = table.reshape(len(group), len(names))
    values = {n: mean(table[:, i]) for i, n in enumerate(names)}
    ci = {n: ends for n, ends in zip(names, mean_intervals(table), strict=True) if ends}
    distances, looked = _distances(group, outcome, config)
    counts["inception"] = looked
    encoding = sum(row.encoded.seconds for row in group)
    decoding = sum(row.decode_seconds for row in group)
    return Row(
        group[0].target_bpp,
        all(row.reached for row in group),
        len(group),
        frames,
        {part: number / pixels for part, number in bits.items()},
        {part: number / seconds / 1000 for part, number in bits.items()},
        distances | values,
        ci,
        counts,
        frames / encoding if encoding else None,
        frames / decoding if decoding else None,
        group[0].encoded.command,
        versions,
        _notes(group),
    )


def _notes(group: list[ClipRow]) -> tuple[str, ...]:
    missed = [row for row in group if not row.reached]
    if not missed:
        return ()
    worst = max(missed, key=lambda row: abs(row.bits()["video"] / row.frames - _wanted(row)))
    return (
        f"{len(missed)} of {len(group)} clips off the target by over 1 %; furthest "
        f"{worst.clip}: {worst.note}",
    )


def _wanted(row: ClipRow) -> float:
    return row.target_bpp * row.pixels


def _distances(
    group: list[ClipRow], outcome: SweepOutcome, config: SweepConfig
) -> tuple[dict[str, float], int]:
    """FID and KID over all clips of a row, and the number of frames looked at."""
    distance = FrechetDistance()
    true_kept, kept = [], []
    room = max(1, _KID_FRAMES // max(1, len(group)))
    for row in group:
        true_features = truth_of(config, outcome.clips[row.clip]).features
        features = Figures.load(row.measured).features
        distance.update(true_features, features)
        step = max(1, -(-len(features) // room))
        true_kept.append(true_features[::step])
        kept.append(features[::step])
    if distance.count < 2:
        return {}, distance.count
    found = {
        "fid": distance.compute(),
        "kid": kid(np.concatenate(true_kept), np.concatenate(kept)),
    }
    return found, distance.count


def _clip(row: ClipRow) -> ClipFigures:
    pixels = row.frames * row.pixels
    return ClipFigures(
        row.target_bpp,
        row.clip,
        row.reached,
        {part: number / pixels for part, number in row.bits().items()},
        row.figures.values,
        row.note,
    )


def _bd_rows(results: Results, anchor: str) -> Iterable[BdRow]:
    for metric, rates in bd_rates(results, anchor).items():
        for codec, found in rates.items():
            yield BdRow(metric, codec, anchor, found.percent, found.note, found.points)


def _pictures(outcome: SweepOutcome, config: SweepConfig, out: Path) -> Iterable[FrameSet]:
    """The middle frame of facewire's best, median and worst clip by LPIPS, at each target."""
    by_clip: dict[tuple[float, str], dict[str, ClipRow]] = defaultdict(dict)
    for row in outcome.rows:
        by_clip[row.target_bpp, row.clip][row.codec] = row
    codecs = list(dict.fromkeys(row.codec for row in outcome.rows))
    judge = next((name for name in codecs if name.startswith("facewire")), None)
    judge = judge or next(iter(codecs), None)
    for target in config.targets:
        judged = sorted(
            (rows[judge].figures.values["lpips"], clip)
            for (bpp, clip), rows in by_clip.items()
            if bpp == target and judge in rows and "lpips" in rows[judge].figures.values
        )
        ranks = {"best": 0, "median": len(judged) // 2, "worst": len(judged) - 1}
        shown: set[str] = set()
        for rank, place in ranks.items():
            if not judged or judged[place][1] in shown:
                continue
            clip = outcome.clips[judged[place][1]]
            shown.add(clip.name)
            index = clip.frames // 2
            images = {"truth": _keep(clip.rgb()[index], out, [clip.key, index])}
            for name, row in by_clip[target, clip.name].items():
                about = [clip.key, index, name, row.encoded.path.parent.name, row.encoded.setting]
                try:
                    images[name] = _keep(None, out, about)
                except FileNotFoundError:
                    frame = frame_of(config, clip, name, row.encoded, index)
                    images[name] = _keep(frame, out, about)
            yield FrameSet(target, clip.name, rank, index, images)


def _keep(frame: Any, out: Path, about: list[object]) -> str:
    """Write a picture under a name made of what it shows; without one, find it again."""
    path = out / "frames" / f"{digest(about)}.webp"
    if not path.exists():
        if frame is None:
            raise FileNotFoundError(path)
        path.parent.mkdir(exist_ok=True)
        picture = encode_picture(np.ascontiguousarray(frame), quality=90, codec=StillCodec.WEBP)
        with whole_file(path, overwrite=True) as file:
            file.write(picture.data)
    return path.relative_to(out).as_posix()


def _versions(config: SweepConfig) -> dict[str, dict[str, str]]:
    found = {}
    for codec in make_codecs(config.codecs, tables=config.codec_files, weights=config.weights):
        try:
            found[codec.name] = {"about": codec.about, **codec.versions()}
        except FacewireError:
            continue
    return found


def environment() -> dict[str, object]:
    """Machine and versions."""
    found: dict[str, object] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
    }
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
