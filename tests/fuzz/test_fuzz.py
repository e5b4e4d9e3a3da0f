"""Some seconds of fuzzing (`FACEWIRE_FUZZ_SECONDS`), with the same cases each time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from . import run
from .mutations import mutate
from .targets import TARGETS

ROOT = Path(__file__).resolve().parents[2]


def test_nothing_crashes_hangs_or_grows() -> None:
    """In a process of its own, so that memory is its own and a crash is seen as one."""
    seconds = os.environ.get("FACEWIRE_FUZZ_SECONDS", "5")
    command = [sys.executable, "-m", "tests.fuzz", "--first", "0", "--seconds", seconds]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line}
    assert all(int(counts[name]) > 0 for name in TARGETS)


def test_cases_are_made_from_their_names_alone() -> None:
    assert [mutate(Random("x/1"), b"abc" * 9) for _ in range(2)] == [
        mutate(Random("x/1"), b"abc" * 9)
    ] * 2
    assert len({mutate(Random(f"x/{number}"), b"abc" * 9) for number in range(100)}) > 90


@pytest.mark.parametrize("wrong", ["error", "time", "memory"])
def test_what_is_wrong_is_found(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def attack(rng: Random) -> int:
        if wrong == "error":
            raise OverflowError("forged")
        return 1

    monkeypatch.setitem(TARGETS, "packet", attack)
    if wrong == "time":
        monkeypatch.setattr(run, "MOST_SECONDS", 0.0)
    if wrong == "memory":
        monkeypatch.setattr(run, "MOST_BYTES", -(1 << 40))
    tally = run.fuzz(0.5, ["packet"])["packet"]
    assert tally.cases
    assert tally.findings
    words = {"error": "OverflowError: forged", "time": "CPU time", "memory": "grew to"}
    assert all(words[wrong] in text for text in list(tally.findings.values())[1:])
