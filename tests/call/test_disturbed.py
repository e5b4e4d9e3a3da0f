"""Calls with the smallest network in which a clock is set, or in which one side sends too much."""

from __future__ import annotations

import itertools
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from facewire.codec.sound.opus import SAMPLE_RATE
from facewire.sender.tracking.capture import Capture

from .programs import Process, Start

pytestmark = pytest.mark.slow

for _module in ("aiortc", "aiohttp", "cryptography", "cv2"):
    pytest.importorskip(_module)

_SECONDS = 5.0

Row = dict[str, Any]


def _rows(folder: Path, name: str) -> list[Row]:
    """The figures of a side. `at` is the time of day by a clock that was not set meanwhile."""
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    rows: list[Row] = [json.loads(line) for line in lines]
    for row in rows:
        row["at"] = rows[0]["time"] - rows[0]["seconds"] + row["seconds"]
    return rows


def _within(rows: list[Row], begin: float, end: float) -> list[Row]:
    """The figures of a time of day, in which the call must have gone on."""
    found = [row for row in rows if begin <= row["at"] <= end]
    assert {row["state"] for row in found} == {"connected"}
    return found


def _shown(rows: list[Row], begin: float, end: float) -> int:
    """Pictures that were shown in a time."""
    counts = [row["call"]["shown"] for row in _within(rows, begin, end)]
    return int(counts[-1] - counts[0])


def _call(start: Start, folder: Path, clip: Path, **variables: str) -> tuple[Process, Process]:
    """Two sides of which each shows the other; the variables are those of the second."""
    words = ["call", "--in", str(clip), "--loop", "--network", "xs", "--kbps", "24"]
    sides: list[Process] = []
    for name in ("one", "two"):
        own = ["--out", str(folder / f"{name}.mp4"), "--stats", str(folder / f"{name}.jsonl")]
        link = [side.link() for side in sides]
        extra = variables if sides else {}
        side = start(name, *words, *own, *link, variables={"FACEWIRE_TEST_REAL": "1", **extra})
        sides.append(side)
    for side in sides:
        side.waits_for("the picture is signed", 120)
    return sides[0], sides[1]


def _leave(one: Process, two: Process) -> None:
    two.signal(signal.SIGINT)
    assert two.wait() == 130, two.said
    assert one.wait() == 0, one.said
    for side in (one, two):
        assert "Traceback" not in side.said
        assert "nothing comes" not in side.said
        assert "line is lost" not in side.said


def test_a_clock_that_is_set(start: Start, clip: Path, tmp_path: Path) -> None:
    """Back by an hour in the middle of a call, and then forward by two: sound, pictures, reports
    and figures go on at both sides.
    """
    one, two = _call(start, tmp_path, clip, FACEWIRE_TEST_CLOCK="1")
    times = [time.time()]
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        two.signal(number)
        time.sleep(_SECONDS)
        times.append(time.time())
    _leave(one, two)
    clock = [row["time"] - row["at"] for row in _rows(tmp_path, "two")]
    assert min(clock) < -3000  # the clock was set, back and forward
    assert max(clock) > 3000
    for name in ("one", "two"):
        rows = _rows(tmp_path, name)
        for begin, end in itertools.pairwise(times):
            assert _shown(rows, begin, end) > 2
            there = [row["call"] for row in _within(rows, begin, end)]
            assert len(there) >= 3
            came = there[-1]["received_datagrams"] - there[0]["received_datagrams"]
            assert came > 4 * len(there)
            made_up = there[-1]["sound_made_up_s"] - there[0]["sound_made_up_s"]
            assert made_up < 0.5 * len(there)
            assert there[-1]["round_trip_s"] < 5.0
        film = Capture(tmp_path / f"{name}.mp4")
        assert film.info.has_sound


def test_a_side_that_sends_10_mbit(start: Start, clip: Path, tmp_path: Path) -> None:
    """The other side drops and counts what is too much, keeps its memory, goes on with its own film
    and sound, and is still seen by the side that floods. Afterwards all is as before.
    """
    one, two = _call(start, tmp_path, clip, FACEWIRE_TEST_FLOOD="1")
    time.sleep(_SECONDS)  # in which both go on loading
    times = [time.time()]
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        two.signal(number)
        time.sleep(_SECONDS + 2.0)
        times.append(time.time())
    _leave(one, two)
    rows, seen = _rows(tmp_path, "one"), _rows(tmp_path, "two")
    meanwhile = _within(rows, *times[:2])
    assert len(meanwhile) >= 3
    came, dropped = (
        meanwhile[-1]["line"][name] - meanwhile[0]["line"][name]
        for name in ("received_bytes", "dropped")
    )
    passed = meanwhile[-1]["at"] - meanwhile[0]["at"]
    print(f"{came * 8 / 1e6 / passed:.1f} Mbit/s came, {dropped} packets were dropped")
    assert came * 8 > 2e6 * passed  # far more than is taken, however busy the machine is
    assert dropped > 0.4 * came / 1250
    grown = [
        max(row["memory_mb"] for row in there) - there[0]["memory_mb"]
        for there in (_within(each, times[0] - 2, times[2]) for each in (rows, seen))
    ]
    print(f"memory grew by {grown[0]:.0f} MB, that of the side that floods by {grown[1]:.0f}")
    assert grown[0] < grown[1] + 40  # `line/test_entrance.py` is more exact
    assert _shown(seen, *times[:2]) > 2  # the other direction is kept
    assert _shown(rows, times[1] + 1, times[2]) > 2  # and this one is as before
    played = sum(len(part) for part in Capture(tmp_path / "one.mp4").sound()) / SAMPLE_RATE
    assert played > 0.7 * (times[2] - times[0])  # the sound of that side goes on
