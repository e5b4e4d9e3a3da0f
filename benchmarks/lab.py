"""Calls of two programs over a network that this program makes: delay, loss, bottlenecks, outages.

    python -m benchmarks.lab --clip talk.mp4          all cases, as a table
    python -m benchmarks.lab --case loss5 --seconds 60 --network xs --kbps 24 --clip talk.mp4

Each side is `facewire call --in CLIP --loop --out ...` in a network namespace of its own. A relay
in a third namespace carries every packet between them, and loses, delays and queues them as
`facewire.call.simulated.SimulatedLine` does. It counts the bytes of IP. The figures come from the
programs' `--stats`: both sides run on one machine, so their clocks agree. Linux, as root.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import re
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facewire.call.simulated import LineConditions
from tests.call.real_network import ETHERNET, call


@dataclass(frozen=True)
class Case:
    """A line, and what happens on it.

    Attributes:
        name: of the case.
        line: both ways.
        kbps: ceiling of both sides.
        events: (seconds after both met, what the lines become).
    """

    name: str
    line: LineConditions
    kbps: float = 16.0
    events: tuple[tuple[float, dict[str, Any]], ...] = ()


def line(**settings: float) -> LineConditions:
    """50 ms each way, and what else is said; frames lose their Ethernet heads in the count."""
    return replace(LineConditions(delay_s=0.05, overhead=-ETHERNET), **settings)


_SETTLED_S = 10.0  # after the first picture; what is before it does not count, as in the simulation
CASES = (
    *(Case(f"clean{kbps}", line(), kbps) for kbps in (16, 24, 40, 64)),
    Case("far", line(delay_s=0.15)),
    Case("loss5", line(loss=0.05)),
    Case("loss20", line(loss=0.2)),
    Case("bottleneck12", line(kbps=12), 64),
    Case("bottleneck20", line(kbps=20), 64),
    Case("bottleneck64", line(kbps=64), 64),
    Case("outage", line(), 16, ((20.0, {"dead": True}), (30.0, {"dead": False}))),
)


@dataclass
class Side:
    """What a program wrote of a call, and what the relay carried for it."""

    rows: list[dict[str, Any]]
    said: str
    carried: int  # IP bytes of UDP that it sent

    @property
    def origin(self) -> float:
        """The time of day at which its stream began."""
        return min(row["time"] - row["call"]["own_s"] for row in self.rows)

    def later(self, start: float, end: float) -> list[dict[str, Any]]:
        """Rows from a time after the first picture to another one."""
        first = next((row["time"] for row in self.rows if row["call"]["shown"]), float("inf"))
        return [row for row in self.rows if start <= row["time"] - first < end]

    def seconds(self, what: str) -> float:
        """What its summary says: `connected` or `first picture`."""
        found = re.search(what + r" after ([0-9.]+) s", self.said)
        return float(found[1]) if found else float("inf")


def run(
    case: Case, clip: Path, options: list[str], seconds: float, folder: Path, seed: int
) -> tuple[Side, Side]:
    """Run a case, both sides with these options; what both wrote, the one that joined last."""
    words = ["--in", str(clip), "--loop", "--kbps", f"{case.kbps:g}", *options]
    with call(case.line, folder, words, seed) as (programs, relay):
        for after, settings in case.events:
            relay.change(after, settings)
        time.sleep(seconds)
    first, second = (
        Side(program.rows(), program.said(), carried)
        for program, carried in zip(programs, relay.carried, strict=True)
    )
    return first, second


def ms(values: list[float]) -> str:
    """The 95th percentile of seconds."""
    return f"{1000 * np.percentile(values, 95):.0f}" if values else "none"


def figures(case: Case, sides: tuple[Side, Side]) -> str:
    """A line of the table: of both sides the worse one."""
    kbps, sound, shown, lips, rate, still, cpu, memory, made_up, unheard = ([] for _ in range(10))
    for own, peer in (sides, sides[::-1]):
        rows = own.later(_SETTLED_S, float("inf"))
        if len(rows) < 3:
            return f"| {case.name} | too short |"
        first, last = rows[0], rows[-1]
        passed = last["time"] - first["time"]
        offset = own.origin - peer.origin
        for row in rows:
            at = row["call"]
            if at["sound_s"] is not None:
                sound.append(at["own_s"] + offset - at["sound_s"] - case.line.delay_s)
                lips.append(abs(at["picture_s"] - at["sound_s"]))
            shown.append(row["time"] - peer.origin - at["picture_s"] - case.line.delay_s)
        frames = last["call"]["shown"] - first["call"]["shown"]
        rate.append(frames / passed)
        made_up.append((last["call"]["made_up"] - first["call"]["made_up"]) / max(frames, 1))
        silent = last["call"]["sound_made_up_s"] - first["call"]["sound_made_up_s"]
        unheard.append(silent / passed)
        kbps.append(8 * (last["line"]["sent_bytes"] - first["line"]["sent_bytes"]) / passed / 1000)
        cpu.append((last["cpu_s"] - first["cpu_s"]) / passed)
        memory.append((first["memory_mb"], last["memory_mb"]))
        counts = [row["call"]["shown"] for row in rows]
        still.append(sum(before == after for before, after in itertools.pairwise(counts)))
    two = sides[1]
    last = two.rows[-1]["line"]["sent_bytes"]
    grown = max(memory, key=lambda pair: pair[1] - pair[0])
    return (
        f"| {case.name} | {two.seconds('connected'):.1f} | {two.seconds('first picture'):.1f} "
        f"| {max(kbps):.1f} | {ms(sound)} "
        f"| {ms(shown)} | {ms(lips)} "
        f"| {min(rate):.1f} | {100 * max(made_up):.0f} % "
        f"| {100 * max(unheard):.1f} % | {max(still)} | {max(cpu):.2f} "
        f"| {grown[0]:.0f} → {grown[1]:.0f} | {last} / {two.carried} |"
    )


_HEAD = (
    "| case | connected, s | first picture, s | kbit/s sent | sound p95, ms | picture p95, ms "
    "| lips p95, ms | pictures/s | made up "
    "| sound made up | seconds without a new picture | cores | memory, MB "
    "| bytes by program / relay |"
)


def main() -> None:
    """Run the cases that are asked for."""
    names = [case.name for case in CASES]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--case", action="append", choices=names)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--network", default="xs")
    parser.add_argument("--base", action="store_true", help="both send a base layer")
    parser.add_argument("--kbps", type=float, help="ceiling, in place of the case's own")
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="keep what both sides wrote in this folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(_HEAD, "|---" * _HEAD.count(" | ") + "|---|", sep="\n", flush=True)
    for case in CASES:
        if options.case and case.name not in options.case:
            continue
        if options.kbps:
            case = replace(case, kbps=options.kbps)
        with contextlib.ExitStack() as stack:
            if options.keep:
                folder = options.keep / case.name
                folder.mkdir(parents=True)
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            clip = options.clip.resolve()
            words = ["--network", options.network, *(["--base"] if options.base else [])]
            sides = run(case, clip, words, options.seconds, folder, options.seed)
            print(figures(case, sides), flush=True)


if __name__ == "__main__":
    main()
