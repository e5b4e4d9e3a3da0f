"""What `results.json` holds, as Python values, and the JSON Schema of the file.

msgspec checks every value against the types below, and makes the JSON Schema from them
(`docs/results.schema.json`). In the file the metrics of a row lie beside the row's own keys: a key
that is not listed here and holds a number is a metric. In Python they are `values`. Unknown keys
are ignored, so that a later version may add some. NaN and infinity are never written: such a
figure is left out, or is null where the key must be there.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, get_type_hints

import msgspec
import numpy as np
from msgspec import Meta

from ...codec.errors import ConfigError

__all__ = [
    "BITS",
    "SUMS",
    "VERSION",
    "BdRow",
    "ClipFigures",
    "FrameSet",
    "MetricInfo",
    "Results",
    "Row",
    "from_json",
    "json_schema",
    "to_json",
]

VERSION = 1
BITS = ("keyframe", "motion", "inter", "residual", "container", "audio")
"""Kinds of bits in the order in which reports stack them."""
SUMS = ("video", "total")
"""Sums of them: `video` is everything but the sound, `total` is everything."""

Json = dict[str, Any]
Count = Annotated[int, Meta(ge=0)]
Target = Annotated[float, Meta(gt=0, description="bits a pixel that the picture was allowed")]
Reached = Annotated[bool, Meta(description="every clip is within 1 % of the target")]
Bpp = Annotated[
    Mapping[str, float],
    Meta(description="bits a pixel by kind, with `video` (all but the sound) and `total`"),
]
Speed = Annotated[
    float | None,
    Meta(
        description="frames a second on one thread; `config.speed` names the clock; null: unknown"
    ),
]


@dataclass(frozen=True, slots=True)
class MetricInfo:
    """How a metric is shown."""

    label: Annotated[str, Meta(description="short name for people")]
    unit: Annotated[str, Meta(description="empty where there is none")] = ""
    higher_is_better: Annotated[
        bool | None, Meta(description="null: neither way is better, and nothing is ranked by it")
    ] = None
    definition: Annotated[str, Meta(description="a sentence or two, with the source")] = ""

    @property
    def arrow(self) -> str:
        """The direction that is better, as a sign; empty where neither is."""
        return {True: "↑", False: "↓", None: ""}[self.higher_is_better]

    @property
    def direction(self) -> str:
        """The direction that is better, in words; empty where neither is."""
        words = {True: "higher is better", False: "lower is better", None: ""}
        return words[self.higher_is_better]


@dataclass(frozen=True, slots=True)
class Row:
    """One codec at one target, over all clips.

    `values` has each metric by name: the mean over clips; FID and KID are of all frames together.
    """

    target_bpp: Target
    reached: Reached
    clips: Count
    frames: Annotated[Count, Meta(description="frames of all clips")]
    bpp: Bpp
    kbps: Annotated[Mapping[str, float], Meta(description="the same rates in kbit/s")]
    values: Mapping[str, float] = field(default_factory=dict)
    ci: Annotated[
        Mapping[str, tuple[float, float]], Meta(description="ends of the 95 % interval by metric")
    ] = field(default_factory=dict)
    counts: Annotated[
        Mapping[str, Count], Meta(description="frames looked at, such as `inception` for FID")
    ] = field(default_factory=dict)
    encode_fps: Speed = None
    decode_fps: Speed = None
    command: Annotated[str, Meta(description="how the first clip was encoded")] = ""
    versions: Annotated[Mapping[str, str], Meta(description="of the programs")] = field(
        default_factory=dict
    )
    notes: Annotated[tuple[str, ...], Meta(description="what else a reader must know")] = ()


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """One clip by one codec at one target; `values` has each metric by name."""

    target_bpp: Target
    clip: Annotated[str, Meta(description="name of the video")]
    reached: Annotated[bool, Meta(description="within 1 % of the target")]
    bpp: Bpp
    values: Mapping[str, float] = field(default_factory=dict)
    note: Annotated[str, Meta(description="why the target was not reached")] = ""


@dataclass(frozen=True, slots=True)
class FrameSet:
    """Pictures of one time stamp of one clip, by several codecs."""

    target_bpp: Target
    clip: Annotated[str, Meta(description="name of the video")]
    rank: Annotated[str, Meta(description="`best`, `median` or `worst` of the clips")]
    index: Annotated[Count, Meta(description="number of the frame, from 0")]
    images: Annotated[
        Mapping[str, str],
        Meta(description="path by codec and of `truth`, relative to the folder of results.json"),
    ]


@dataclass(frozen=True, slots=True)
class BdRow:
    """Bjøntegaard rate of one codec by one metric."""

    metric: Annotated[str, Meta(description="name of the metric that measures quality")]
    codec: Annotated[str, Meta(description="the codec that is compared")]
    anchor: Annotated[str, Meta(description="the codec that it is compared with")]
    percent: Annotated[
        float | None, Meta(description="more bits for the same quality; null: not computable")
    ] = None
    note: Annotated[str, Meta(description="why not, or with what caution to read it")] = ""
    points: Annotated[
        tuple[Count, Count], Meta(description="points of the codec's and of the anchor's curve")
    ] = (0, 0)


@dataclass(frozen=True)
class Results:
    """Everything that a run of `codec-eval` found."""

    name: Annotated[str, Meta(description="of the run, for plots")]
    description: Annotated[str, Meta(description="a line for readers")] = ""
    environment: Annotated[
        Mapping[str, Any], Meta(description="machine, its load at the start, versions, git commit")
    ] = field(default_factory=dict)
    config: Annotated[
        Mapping[str, Any],
        Meta(description="settings, the command, SHA-256 of each clip and of the weights used"),
    ] = field(default_factory=dict)
    metrics: Annotated[
        Mapping[str, MetricInfo], Meta(description="in the order in which they are shown")
    ] = field(default_factory=dict)
    results: Annotated[
        Mapping[str, tuple[Row, ...]], Meta(description="rows by codec, in the order of the run")
    ] = field(default_factory=dict)
    clips: Annotated[
        Mapping[str, tuple[ClipFigures, ...]], Meta(description="figures of each clip by codec")
    ] = field(default_factory=dict)
    left_out: Annotated[
        Mapping[str, str], Meta(description="metric, and why it was not measured")
    ] = field(default_factory=dict)
    skipped: Annotated[
        Mapping[str, str], Meta(description="clip or codec, and why it was skipped")
    ] = field(default_factory=dict)
    frames: Annotated[tuple[FrameSet, ...], Meta(description="pictures beside each other")] = ()
    bd_rate: Annotated[
        tuple[BdRow, ...], Meta(description="Bjøntegaard rates against `config.anchor`")
    ] = ()

    @property
    def codecs(self) -> list[str]:
        """Names, in the order of the run."""
        return list(self.results)

    @property
    def targets(self) -> list[float]:
        """All targets, from low to high."""
        return sorted({row.target_bpp for row in self.rows()})

    def rows(self) -> list[Row]:
        """The rows of all codecs."""
        return [row for rows in self.results.values() for row in rows]

    def row(self, codec: str, target: float) -> Row | None:
        """The row of a codec at a target; None: there is none."""
        rows = (row for row in self.results.get(codec, ()) if row.target_bpp == target)
        return next(rows, None)

    def metric(self, name: str) -> MetricInfo:
        """How a metric is shown; an unknown one goes by its bare name and is not ranked."""
        return self.metrics.get(name) or MetricInfo(name)

    def measured(self) -> list[str]:
        """Names of all metrics that some row has; known ones first, in their order."""
        return self.in_order({name for row in self.rows() for name in row.values})

    def in_order(self, names: set[str]) -> list[str]:
        """Sort names of metrics: known ones first, in their order, then the others by name."""
        return [name for name in self.metrics if name in names] + sorted(names - set(self.metrics))


_KEYS = {
    section: frozenset(each.name for each in fields(kind)) - {"values"}
    for section, kind in (("results", Row), ("clips", ClipFigures))
}
_ENTRIES: dict[str, Any] = {  # types of what lies under a name, so that faults say which name
    "metrics": MetricInfo,
    "results": tuple[Row, ...],
    "clips": tuple[ClipFigures, ...],
}


# --- from values to JSON ------------------------------------------------------------------------


def to_json(results: Results) -> Json:
    """The file's content as plain dictionaries and lists, with every number finite.

    Raises:
        ConfigError: a metric has the name of one of a row's own keys.
    """
    found: Json = {"version": VERSION, **_plain(asdict(results))}
    for section, keys in _KEYS.items():
        for codec, rows in found[section].items():
            found[section][codec] = [_flat(row, keys) for row in rows]
    return found


def _flat(row: Json, keys: frozenset[str]) -> Json:
    """Put the metrics beside the row's own keys, where the file has them."""
    values = row.pop("values")
    if clash := sorted(keys.intersection(values)):
        raise ConfigError(f"a metric cannot be called {clash[0]!r}: results.json has that key")
    for part in {"bpp", "kbps"} & set(row):
        row[part] = _known(row[part])
    if "ci" in row:
        row["ci"] = {name: ends for name, ends in row["ci"].items() if None not in ends}
    if not row.get("note", "-"):
        del row["note"]
    return row | _known(values)


def _known(values: Json) -> Json:
    return {name: value for name, value in values.items() if value is not None}


def _plain(value: object) -> Any:
    """Anything as JSON takes it: paths and fractions as text, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


# --- from JSON to values ------------------------------------------------------------------------


def from_json(data: object) -> Results:
    """Check what a `results.json` holds, and take it.

    Raises:
        ConfigError: it is of another version, or not of this schema; the sentence says where.
    """
    found: Json = _checked(data, Json, "the file")
    version = found.get("version")
    if version != VERSION or isinstance(version, bool):
        said = "no version" if version is None else f"version {str(version)[:20]}"
        raise ConfigError(
            f"{said} of codec-eval's results; this build reads version {VERSION}: measure again, "
            "or use the facewire that wrote them"
        )
    made: Json = {}
    for name, kind in get_type_hints(Results, include_extras=True).items():
        if name not in found:
            if name in ("name", "results"):
                raise ConfigError(f"the file lacks {name!r}")
        elif name in _ENTRIES:
            made[name] = {
                key: _checked(_nested(entry, name), _ENTRIES[name], f"{name}.{key}")
                for key, entry in _checked(found[name], Json, name).items()
            }
        else:
            made[name] = _checked(found[name], kind, name)
    return Results(**made)


def _checked(data: object, kind: Any, where: str) -> Any:
    """Convert to a type; what does not fit is an error that names the place."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        raise ConfigError(f"{where}{path.rstrip('`')}: {what}") from error


def _nested(entry: object, section: str) -> object:
    """Gather the metrics of each row in `values`, where Python has them."""
    if section not in _KEYS or not isinstance(entry, list):
        return entry
    return [_gathered(row, _KEYS[section]) if isinstance(row, dict) else row for row in entry]


def _gathered(row: Json, keys: frozenset[str]) -> Json:
    own = {key: value for key, value in row.items() if key in keys}
    for part in {"bpp", "kbps", "counts"} & set(own):  # null stands for what is not known
        if isinstance(own[part], dict):
            own[part] = _known(own[part])
    numbers = {key: value for key, value in row.items() if type(value) in (int, float)}
    return own | {"values": {key: value for key, value in numbers.items() if key not in keys}}


# --- JSON Schema --------------------------------------------------------------------------------


def json_schema() -> Json:
    """JSON Schema (2020-12) of `results.json`, for programs in any language."""
    schema: Json = msgspec.json.schema(Results)
    parts: Json = schema.pop("$defs")
    for name in ("Row", "ClipFigures"):
        del parts[name]["properties"]["values"]
        parts[name]["additionalProperties"] = {
            "description": "a key that holds a number is a metric; `metrics` explains it"
        }
    whole = parts["Results"]
    whole["properties"] = {"version": {"const": VERSION}, **whole["properties"]}
    whole["required"] = ["version", "name", "results"]
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    title["title"] = "results.json of codec-eval"
    written: Json = _same_by_every_release(title | schema | {"$defs": parts})
    return written


def _same_by_every_release(part: Any) -> Any:
    """Even out what msgspec's releases write differently: indents of docstrings, empty defaults."""
    if isinstance(part, list):
        return [_same_by_every_release(each) for each in part]
    if not isinstance(part, dict):
        return part
    made = {key: _same_by_every_release(value) for key, value in part.items()}
    if made.get("default") == {}:
        del made["default"]
    if isinstance(made.get("description"), str):
        made["description"] = inspect.cleandoc(made["description"])
    return made


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
