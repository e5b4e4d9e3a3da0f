"""What `results.json` holds, as values: rows of codecs, figures of clips, pictures.

Every `from_json` takes untrusted data: what is missing or of the wrong type is a `ConfigError` that
names the place. Unknown keys are ignored, so that a later version may add some. NaN and infinity
are never written: such a figure is left out, or null where the key must be there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..codec.errors import ConfigError
from .json_fields import (
    a_count,
    a_flag,
    a_rate,
    a_text,
    an_object,
    check_names,
    entries,
    figures,
    finite,
    lines,
    needed,
    number_or_none,
    numbers,
    or_null,
    pair,
    plain_json,
    texts,
)

__all__ = [
    "BITS",
    "VERSION",
    "BdRow",
    "ClipFigures",
    "FrameSet",
    "MetricInfo",
    "Results",
    "Row",
]

VERSION = 1
_ROW_KEYS = frozenset(
    (
        "target_bpp",
        "reached",
        "clips",
        "frames",
        "bpp",
        "kbps",
        "ci",
        "counts",
        "encode_fps",
        "decode_fps",
        "command",
        "versions",
        "notes",
    )
)
_CLIP_KEYS = frozenset(("target_bpp", "clip", "reached", "bpp", "note"))
BITS = ("keyframe", "motion", "inter", "residual", "container", "audio")
"""Kinds of bits in the order in which reports stack them; `video` and `total` are sums."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """How a metric is shown.

    Attributes:
        label: short name for people.
        unit: empty where there is none.
        higher_is_better: which way is good; None: neither, so nothing is ranked by it.
        definition: a sentence or two, with its source.
    """

    label: str
    unit: str = ""
    higher_is_better: bool | None = None
    definition: str = ""

    def to_json(self) -> Json:
        """As in `results.json`."""
        return {
            "label": self.label,
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            "definition": self.definition,
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> MetricInfo:
        """Read one entry of `metrics`."""
        found = an_object(data, where)
        higher = found.get("higher_is_better")
        if higher is not None and not isinstance(higher, bool):
            raise ConfigError(f"{where}.higher_is_better is neither true, false nor null")
        return cls(
            a_text(found, "label", where),
            a_text(found, "unit", where, ""),
            higher,
            a_text(found, "definition", where, ""),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One codec at one target, over all clips.

    Attributes:
        target_bpp: bits a pixel that were asked of the picture (all but the sound).
        reached: every clip was within 1 % of the target.
        clips: number of clips.
        frames: number of frames of all clips.
        bpp: bits a pixel by kind (`BITS`), with `video` (all but sound) and `total`.
        kbps: the same in kbit/s.
        values: figure by metric's name; means over clips, FID and KID over all frames together.
        ci: ends of the 95 % interval by metric's name.
        counts: frames by the kind of look that was taken at them, such as `inception`.
        encode_fps: frames a second on one thread; None: not known.
        decode_fps: likewise.
        command: how a clip was encoded.
        versions: of the programs.
        notes: what else a reader must know.
    """

    target_bpp: float
    reached: bool
    clips: int
    frames: int
    bpp: Mapping[str, float]
    kbps: Mapping[str, float]
    values: Mapping[str, float] = field(default_factory=dict)
    ci: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    encode_fps: float | None = None
    decode_fps: float | None = None
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """As in `results.json`: metrics lie beside the other keys."""
        check_names(self.values, _ROW_KEYS)
        return {
            "target_bpp": self.target_bpp,
            "reached": self.reached,
            "clips": self.clips,
            "frames": self.frames,
            "counts": dict(self.counts),
            "bpp": finite(self.bpp),
            "kbps": finite(self.kbps),
            **finite(self.values),
            "ci": {
                name: [float(low), float(high)]
                for name, (low, high) in self.ci.items()
                if math.isfinite(low) and math.isfinite(high)
            },
            "encode_fps": or_null(self.encode_fps),
            "decode_fps": or_null(self.decode_fps),
            "command": self.command,
            "versions": dict(self.versions),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> Row:
        """Read one row of a codec."""
        found = an_object(data, where)
        ci = an_object(found.get("ci", {}), f"{where}.ci")
        return cls(
            a_rate(found, where),
            a_flag(found, "reached", where),
            a_count(found, "clips", where),
            a_count(found, "frames", where),
            numbers(needed(found, "bpp", where), f"{where}.bpp"),
            numbers(needed(found, "kbps", where), f"{where}.kbps"),
            figures(found, _ROW_KEYS),
            {name: pair(ends, f"{where}.ci.{name}") for name, ends in ci.items()},
            {
                name: int(number)
                for name, number in numbers(found.get("counts", {}), f"{where}.counts").items()
            },
            number_or_none(found, "encode_fps", where),
            number_or_none(found, "decode_fps", where),
            a_text(found, "command", where, ""),
            texts(found.get("versions", {}), f"{where}.versions"),
            lines(found.get("notes", []), f"{where}.notes"),
        )


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """One clip by one codec at one target.

    Attributes:
        target_bpp: as in `Row`.
        clip: name of the video.
        reached: within 1 % of the target.
        bpp: as in `Row`.
        values: figure by metric's name.
        note: why the target was not reached, if it was not.
    """

    target_bpp: float
    clip: str
    reached: bool
    bpp: Mapping[str, float]
    values: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> Json:
        """As in `results.json`."""
        check_names(self.values, _CLIP_KEYS)
        return {
            "target_bpp": self.target_bpp,
            "clip": self.clip,
            "reached": self.reached,
            "bpp": finite(self.bpp),
            **finite(self.values),
            **({"note": self.note} if self.note else {}),
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> ClipFigures:
        """Read one entry of `clips`."""
        found = an_object(data, where)
        return cls(
            a_rate(found, where),
            a_text(found, "clip", where),
            a_flag(found, "reached", where),
            numbers(needed(found, "bpp", where), f"{where}.bpp"),
            figures(found, _CLIP_KEYS),
            a_text(found, "note", where, ""),
        )


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Pictures of one time stamp of one clip, by several codecs.

    Attributes:
        target_bpp: as in `Row`.
        clip: name of the video.
        rank: `best`, `median` or `worst`.
        index: number of the frame.
        images: path by codec, and of `truth`; relative to the folder of `results.json`.
    """

    target_bpp: float
    clip: str
    rank: str
    index: int
    images: Mapping[str, str]

    def to_json(self) -> Json:
        """As in `results.json`."""
        return {
            "target_bpp": self.target_bpp,
            "clip": self.clip,
            "rank": self.rank,
            "index": self.index,
            "images": dict(self.images),
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> FrameSet:
        """Read one entry of `frames`."""
        found = an_object(data, where)
        return cls(
            a_rate(found, where),
            a_text(found, "clip", where),
            a_text(found, "rank", where),
            a_count(found, "index", where),
            texts(needed(found, "images", where), f"{where}.images"),
        )


@dataclass(frozen=True, slots=True)
class BdRow:
    """Bjøntegaard rate of one codec by one metric.

    Attributes:
        metric: name of the metric that measures quality.
        codec: which is compared.
        anchor: with this one.
        percent: more bits (or, below 0, fewer) for the same quality; None: not computable.
        note: why it is not, or with what caution to read it.
        points: of the codec's curve and of the anchor's.
    """

    metric: str
    codec: str
    anchor: str
    percent: float | None
    note: str = ""
    points: tuple[int, int] = (0, 0)

    def to_json(self) -> Json:
        """As in `results.json`."""
        return {
            "metric": self.metric,
            "codec": self.codec,
            "anchor": self.anchor,
            "percent": or_null(self.percent),
            "note": self.note,
            "points": list(self.points),
        }

    @classmethod
    def from_json(cls, data: object, where: str) -> BdRow:
        """Read one entry of `bd_rate`."""
        found = an_object(data, where)
        points = found.get("points", [0, 0])
        low, high = pair(points, f"{where}.points")
        return cls(
            a_text(found, "metric", where),
            a_text(found, "codec", where),
            a_text(found, "anchor", where),
            number_or_none(found, "percent", where),
            a_text(found, "note", where, ""),
            (int(low), int(high)),
        )


@dataclass(frozen=True)
class Results:
    """Everything that a run of `codec-eval` found.

    Attributes:
        name: of the run, for plots.
        description: a line for whoever reads it.
        environment: machine, versions.
        config: settings; `anchor` names the codec of BD-rates, `command` the command.
        metrics: every metric's label, unit, direction and definition.
        results: rows of every codec.
        clips: figures of every clip, by codec.
        left_out: metric, and why it was not measured.
        skipped: clip or codec, and why.
        frames: pictures beside each other.
        bd_rate: Bjøntegaard rates against the anchor.
    """

    name: str
    description: str
    environment: Mapping[str, Any]
    config: Mapping[str, Any]
    metrics: Mapping[str, MetricInfo]
    results: Mapping[str, tuple[Row, ...]]
    clips: Mapping[str, tuple[ClipFigures, ...]] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    frames: tuple[FrameSet, ...] = ()
    bd_rate: tuple[BdRow, ...] = ()

    @property
    def codecs(self) -> list[str]:
        """Names, in the order of the run."""
        return list(self.results)

    @property
    def targets(self) -> list[float]:
        """All targets, from low to high."""
        return sorted({row.target_bpp for rows in self.results.values() for row in rows})

    def row(self, codec: str, target: float) -> Row | None:
        """The row of a codec at a target; None: there is none."""
        rows = (row for row in self.results.get(codec, ()) if row.target_bpp == target)
        return next(rows, None)

    def metric(self, name: str) -> MetricInfo:
        """How a metric is shown; an unknown one goes by its bare name and is not ranked."""
        return self.metrics.get(name) or MetricInfo(name)

    def measured(self) -> list[str]:
        """Names of all metrics that some row has; known ones first, in their order."""
        found = {name for rows in self.results.values() for row in rows for name in row.values}
        return [name for name in self.metrics if name in found] + sorted(found - set(self.metrics))

    def to_json(self) -> Json:
        """As in `results.json`."""
        return {
            "version": VERSION,
            "name": self.name,
            "description": self.description,
            "environment": plain_json(self.environment),
            "config": plain_json(self.config),
            "metrics": {name: info.to_json() for name, info in self.metrics.items()},
            "left_out": dict(self.left_out),
            "skipped": dict(self.skipped),
            "results": {
                name: [row.to_json() for row in rows] for name, rows in self.results.items()
            },
            "bd_rate": [row.to_json() for row in self.bd_rate],
            "clips": {name: [row.to_json() for row in rows] for name, rows in self.clips.items()},
            "frames": [entry.to_json() for entry in self.frames],
        }

    @classmethod
    def from_json(cls, data: object) -> Results:
        """Check and take what a `results.json` holds.

        Raises:
            ConfigError: of another version, or not of this schema; says where.
        """
        found = an_object(data, "the file")
        version = found.get("version")
        if version != VERSION or isinstance(version, bool):
            said = "no version" if version is None else f"version {str(version)[:20]}"
            raise ConfigError(
                f"{said} of codec-eval's results; this build reads version {VERSION}: measure "
                "again, or use the facewire that wrote them"
            )
        return cls(
            a_text(found, "name", "the file"),
            a_text(found, "description", "the file", ""),
            an_object(found.get("environment", {}), "environment"),
            an_object(found.get("config", {}), "config"),
            {
                name: MetricInfo.from_json(info, f"metrics.{name}")
                for name, info in an_object(found.get("metrics", {}), "metrics").items()
            },
            {
                name: tuple(Row.from_json(row, at) for at, row in entries(rows, f"results.{name}"))
                for name, rows in an_object(needed(found, "results", "the file"), "results").items()
            },
            {
                name: tuple(
                    ClipFigures.from_json(row, at) for at, row in entries(rows, f"clips.{name}")
                )
                for name, rows in an_object(found.get("clips", {}), "clips").items()
            },
            texts(found.get("left_out", {}), "left_out"),
            texts(found.get("skipped", {}), "skipped"),
            tuple(
                FrameSet.from_json(entry, at)
                for at, entry in entries(found.get("frames", []), "frames")
            ),
            tuple(
                BdRow.from_json(entry, at)
                for at, entry in entries(found.get("bd_rate", []), "bd_rate")
            ),
        )
