"""`python -m tests.fuzz`: see the package."""

from __future__ import annotations

import argparse
import os
import sys
import time

from .run import fuzz, repeat, table
from .targets import TARGETS

_SHOWN, _LONGEST = 5, 2000  # findings of a target, characters of each


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("targets", nargs="*", help=f"of {', '.join(TARGETS)} (default: all)")
    seconds = float(os.environ.get("FACEWIRE_FUZZ_SECONDS", "600"))
    parser.add_argument("--seconds", type=float, default=seconds, help="default: %(default)g")
    parser.add_argument(
        "--first",
        type=int,
        help="number of the first case (default: from the clock, so that each run tries others)",
    )
    parser.add_argument("--repeat", metavar="TARGET/NUMBER", help="one case again")
    args = parser.parse_args()
    if unknown := set(args.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    if args.repeat:
        print(f"{repeat(args.repeat)} streams and packets, nothing wrong")
        return 0
    first = int(time.time()) * 1_000_000 if args.first is None else args.first
    print(f"cases from number {first} on", flush=True)
    tallies = fuzz(
        args.seconds, args.targets, first=first, report=lambda now: print(table(now), flush=True)
    )
    print(table(tallies))
    for tally in tallies.values():
        for case, what in list(tally.findings.items())[:_SHOWN]:
            print(f"\n{case}: {what[-_LONGEST:]}\nrepeat: python -m tests.fuzz --repeat {case}")
    return int(any(tally.findings for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
