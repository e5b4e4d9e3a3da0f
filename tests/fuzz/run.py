"""Runs cases until the time is up, and watches their errors, time and memory."""

from __future__ import annotations

import faulthandler
import gc
import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .targets import TARGETS

__all__ = ["MOST_BYTES", "MOST_SECONDS", "Tally", "fuzz", "repeat", "table"]

MOST_SECONDS = 1.0
"""CPU time of a case."""
MOST_BYTES = 200 << 20
"""Memory of the process above what it has after one case of each target."""
_SLICE = 0.2  # seconds for a target before the next one's turn
_STUCK = 120  # seconds of wall clock after which a case is taken to hang for ever
_SCALE = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


@dataclass
class Tally:
    """What became of one target.

    Attributes:
        cases: how many were made.
        parts: streams and packets in them.
        slowest: CPU seconds of the slowest case.
        findings: name of a case → what was wrong with it.
    """

    cases: int = 0
    parts: int = 0
    slowest: float = 0.0
    findings: dict[str, str] = field(default_factory=dict)


def repeat(name: str) -> int:
    """One case again, by its name as "motion/17"; returns its parts, raises what it raises."""
    target, _, number = name.partition("/")
    return TARGETS[target](Random(f"{target}/{int(number)}"))


def fuzz(
    seconds: float,
    names: Iterable[str] = (),
    *,
    first: int = 0,
    report: Callable[[dict[str, Tally]], None] | None = None,
) -> dict[str, Tally]:
    """Run targets in turn.

    Args:
        seconds: for how long, wall clock; two rounds at least.
        names: of targets; all by default.
        first: number of the first case of each: another start, other cases.
        report: called about once a minute.

    Returns:
        The tallies by target. A crash of the interpreter, and a case that hangs, end the process;
        the file `facewire-fuzz-PID` in the folder for temporary files then names the case.
    """
    tallies = {name: Tally() for name in names or TARGETS}
    began = reported = time.monotonic()
    note = Path(tempfile.gettempdir()) / f"facewire-fuzz-{os.getpid()}"
    most, rounds = None, 0  # the first round, of one case each, shows how large the process is
    with note.open("w") as current:
        while rounds < 2 or time.monotonic() - began < seconds:
            rounds += 1
            for name, tally in tallies.items():
                faulthandler.dump_traceback_later(_STUCK, exit=True)
                end = time.monotonic() + (_SLICE if most else 0)
                while True:
                    case = f"{name}/{first + tally.cases}"
                    current.seek(0)
                    current.write(f"{case}\n")
                    current.flush()
                    _one(case, tally, most)
                    if time.monotonic() >= end:
                        break
            gc.collect()
            most = most or _peak() + MOST_BYTES
            if report is not None and time.monotonic() - reported > 60:
                reported = time.monotonic()
                report(tallies)
    faulthandler.cancel_dump_traceback_later()
    note.unlink(missing_ok=True)
    return tallies


def _one(case: str, tally: Tally, most: int | None) -> None:
    began = time.process_time()
    try:
        tally.parts += repeat(case)
    except Exception:
        tally.findings[case] = traceback.format_exc()
    taken = time.process_time() - began
    tally.cases += 1
    tally.slowest = max(tally.slowest, taken)
    if taken > MOST_SECONDS:
        tally.findings[case] = f"took {taken:.1f} s of CPU time"
    if most is not None and _peak() > most:
        tally.findings[case] = f"the process grew to {_peak() >> 20} MB"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _SCALE


def table(tallies: dict[str, Tally]) -> str:
    """The tallies as text."""
    lines = [f"{'target':10} {'cases':>9} {'parts':>10} {'slowest':>9} {'findings':>8}"]
    for name, tally in tallies.items():
        lines.append(
            f"{name:10} {tally.cases:9} {tally.parts:10} {1000 * tally.slowest:6.0f} ms "
            f"{len(tally.findings):8}"
        )
    cases = sum(tally.cases for tally in tallies.values())
    parts = sum(tally.parts for tally in tallies.values())
    found = sum(len(tally.findings) for tally in tallies.values())
    lines.append(f"{'all':10} {cases:9} {parts:10} {'':9} {found:8}")
    lines.append(f"largest size of the process: {_peak() >> 20} MB")
    return "\n".join(lines)
