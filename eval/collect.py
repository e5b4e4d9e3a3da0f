"""From single figures to results: means, intervals, FID over all clips, BD-rates, pictures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..codec.errors import FacewireError
from ..codec.picture.still import StillCodec, encode_picture
from ..codec.whole_file import whole_path
from ..models.judges.inception import Inception
from .clips import Frame
from .codecs.facewire import AUDIO_KBPS
from .codecs.search import TOLERANCE
from .files import SPEED_CLOCK, digest
from .measure import Figures
from .metrics.catalogue import METRICS
from .metrics.distribution import FrechetDistance, kid
from .provenance import environment, inputs
from .report.page import write_report
from .results.file import write_results
from .results.schema import ClipFigures, FrameSet, Results, Row
from .results.spreadsheet import write_clips_csv, write_csv
from .statistics.comparison import bd_rates
from .statistics.intervals import mean, mean_intervals
from .sweep import ClipRow, SweepConfig, SweepOutcome, codecs_of, frame_of, truth_of

__all__ = ["collect", "write_all"]

_KID_FRAMES = 4000  # features of a row that KID chooses its subsets from


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
        name: name of the run.
        description: a line for readers.
        command: the command as it was typed.
        anchor: codec that BD-rates compare with, where it is among them.
    """
    groups: dict[tuple[str, float], list[ClipRow]] = defaultdict(list)
    for row in outcome.rows:
        groups[row.codec, row.target_bpp].append(row)
    versions = _versions(config)
    rows: dict[str, list[Row]] = defaultdict(list)
    clips: dict[str, list[ClipFigures]] = defaultdict(list)
    for (codec, _), group in groups.items():
        rows[codec].append(_row(group, config, versions.get(codec, {})))
        clips[codec] += [_clip(row) for row in group]
    found = Results(
        name,
        description,
        environment(outcome.load),
        _settings(outcome, config, command, anchor),
        METRICS,
        {codec: tuple(own) for codec, own in rows.items()},
        {codec: tuple(own) for codec, own in clips.items()},
        outcome.left_out,
        outcome.skipped,
    )
    return replace(found, bd_rate=bd_rates(found, anchor))


def _settings(
    outcome: SweepOutcome, config: SweepConfig, command: str, anchor: str
) -> dict[str, object]:
    return {
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
        "jobs": config.jobs,
        "speed": SPEED_CLOCK,
        **inputs(config, outcome),
    }


def write_all(results: Results, outcome: SweepOutcome, config: SweepConfig, out: Path) -> Results:
    """Write `results.json`, CSV, pictures and the report into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    results = replace(results, frames=tuple(_pictures(outcome, config, out)))
    write_results(results, out / "results.json")
    write_csv(results, out / "results.csv")
    write_clips_csv(results, out / "clips.csv")
    write_report([results], out / "report.html", out)
    return results


def _row(group: list[ClipRow], config: SweepConfig, versions: dict[str, str]) -> Row:
    pixels = sum(row.pixels for row in group)
    seconds = sum(row.clip.seconds for row in group)
    frames = sum(row.clip.frames for row in group)
    bits: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for row in group:
        bits.update(row.bits())
        counts.update(row.figures.counts)
    names = sorted({name for row in group for name in row.figures.values})
    table = np.array([[row.figures.values.get(n, np.nan) for n in names] for row in group])
    table = table.reshape(len(group), len(names))
    distances, counts["inception"] = _distances(group, config)
    encoding = sum(row.encoded.cpu_seconds for row in group)
    decoding = sum(row.figures.decode_seconds for row in group)
    return Row(
        group[0].target_bpp,
        all(row.reached for row in group),
        len(group),
        frames,
        bpp={part: number / pixels for part, number in bits.items()},
        kbps={part: number / seconds / 1000 for part, number in bits.items()},
        values=distances | {n: mean(table[:, i]) for i, n in enumerate(names)},
        ci={n: ends for n, ends in zip(names, mean_intervals(table), strict=True) if ends},
        counts=counts,
        encode_fps=frames / encoding if encoding else None,
        decode_fps=frames / decoding if decoding else None,
        command=group[0].encoded.command,
        versions=versions,
        notes=_notes(group),
    )


def _notes(group: list[ClipRow]) -> tuple[str, ...]:
    missed = [row for row in group if not row.reached]
    if not missed:
        return ()
    worst = max(missed, key=lambda row: abs(row.bits()["video"] / row.pixels - row.target_bpp))
    return (
        f"{len(missed)} of {len(group)} clips off the target by over 1 %; furthest "
        f"{worst.clip.name}: {worst.note}",
    )


def _distances(group: list[ClipRow], config: SweepConfig) -> tuple[dict[str, float], int]:
    """FID and KID over all clips of a row, and the number of frames looked at."""
    distance = FrechetDistance()
    true_kept, kept = [], []
    room = max(1, _KID_FRAMES // max(1, len(group)))
    for row in group:
        true_features = truth_of(config, row.person).features
        features = Figures.load(row.measured).features
        distance.update(true_features, features)
        step = max(1, -(-len(features) // room))
        true_kept.append(true_features[::step])
        kept.append(features[::step])
    if distance.count < 2:
        return {}, distance.count
    found = kid(np.concatenate(true_kept), np.concatenate(kept))
    return {"fid": distance.compute(), "kid": found}, distance.count


def _clip(row: ClipRow) -> ClipFigures:
    bpp = {part: number / row.pixels for part, number in row.bits().items()}
    values = row.figures.values
    return ClipFigures(row.target_bpp, row.clip.name, row.reached, bpp, values, row.note)


def _pictures(outcome: SweepOutcome, config: SweepConfig, out: Path) -> Iterable[FrameSet]:
    """The middle frame of facewire's best, median and worst clip by LPIPS, at each target."""
    codecs = list(dict.fromkeys(row.codec for row in outcome.rows))
    judge = min(codecs, key=lambda name: not name.startswith("facewire"), default="")
    for target in config.targets:
        rows = [row for row in outcome.rows if row.target_bpp == target]
        judged = sorted(
            (row.figures.values["lpips"], row.clip.name)
            for row in rows
            if row.codec == judge and "lpips" in row.figures.values
        )
        ranks = {"best": 0, "median": len(judged) // 2, "worst": len(judged) - 1}
        shown: set[str] = set()
        for rank, place in ranks.items():
            if not judged or judged[place][1] in shown:
                continue
            clip = outcome.clips[judged[place][1]]
            shown.add(clip.name)
            index = clip.frames // 2
            images = {"truth": _keep(clip.rgb()[index], _picture(out, [clip.key, index]), out)}
            for row in (row for row in rows if row.clip.name == clip.name):
                about = [clip.key, index, row.codec, row.encoded.path.parent.name]
                path = _picture(out, [*about, row.encoded.setting])
                frame = None
                if not path.exists():
                    frame = frame_of(config, clip, row.codec, row.encoded, index)
                images[row.codec] = _keep(frame, path, out)
            yield FrameSet(target, clip.name, rank, index, images)


def _picture(out: Path, about: list[object]) -> Path:
    """Path of a picture: its name is made of what it shows."""
    return out / "frames" / f"{digest(about)}.webp"


def _keep(frame: Frame | None, path: Path, out: Path) -> str:
    """Write a picture that is not there yet; returns its path in `out`."""
    if frame is not None:
        path.parent.mkdir(exist_ok=True)
        picture = encode_picture(np.ascontiguousarray(frame), quality=90, codec=StillCodec.WEBP)
        with whole_path(path, overwrite=True) as draft:
            draft.write_bytes(picture.data)
    return path.relative_to(out).as_posix()


def _versions(config: SweepConfig) -> dict[str, dict[str, str]]:
    found: dict[str, Any] = {}
    for codec in codecs_of(config):
        try:
            found[codec.name] = {"about": codec.about, **codec.versions()}
        except FacewireError:
            continue
    return found
