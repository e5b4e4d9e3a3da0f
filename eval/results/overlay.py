"""Several runs laid over each other, as if they were one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...codec.errors import ConfigError
from .schema import MetricInfo, Results

__all__ = ["overlay"]


def overlay(several: Sequence[Results]) -> Results:
    """Lay the results of several runs over each other, as if they were of one run.

    A codec that several runs have is called `codec (name of the run)` in each of them. Metrics are
    described as in the first that knows them; pictures are kept where there is one run alone.

    Raises:
        ConfigError: there are no results.
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
