"""Calls with the smallest network in which a clock is set, or in which one side sends too much."""

from __future__ import annotations

import itertools
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from facewire.sender.tracking.capture import Capture

from .programs import Process, Start

pytestmark = pytest.mark.slow

for _module in ("aiortc", "aiohttp", "cryptography", "cv2"):
    pytest.importorskip(_module)

_SECONDS = 5.0

Row = dict[str, Any]


def _rows(folder: Path, name: str) -> list[Row]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def _shown(rows: list[Row], begin: float, end: float) -> int:
    """Pictures that were shown in a time since the call began."""
    counts = [row["call"]["shown"] for row in rows if begin <= row["seconds"] <= end]
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
    for number, times in ((signal.SIGUSR1, 1), (signal.SIGUSR2, 2)):
        for _ in range(times):
            two.signal(number)
            time.sleep(0.1)  # two signals at once would be one
        time.sleep(_SECONDS)
    _leave(one, two)
    rows = _rows(tmp_path, "two")
    jumps = [b["time"] - a["time"] for a, b in itertools.pairwise(rows)]
    assert min(jumps) < -3000  # the clock was set, and forward
    assert max(jumps) > 3000
    back = rows[jumps.index(min(jumps))]["seconds"]
    for name in ("one", "two"):
        rows = _rows(tmp_path, name)
        seconds = [row["seconds"] for row in rows]
        assert seconds == sorted(seconds)
        assert seconds[-1] > back + 1.8 * _SECONDS
        assert {row["state"] for row in rows if row["seconds"] > back} == {"connected"}
        assert _shown(rows, back, back + _SECONDS) > 2
        assert _shown(rows, back + _SECONDS, seconds[-1]) > 2
        last, before = rows[-1]["call"], rows[seconds.index(back)]["call"]
        assert last["received_datagrams"] > before["received_datagrams"] + 4 * _SECONDS
        assert last["round_trip_s"] < 5.0
        assert last["sound_made_up_s"] - before["sound_made_up_s"] < _SECONDS
        film = Capture(tmp_path / f"{name}.mp4")
        assert film.info.has_sound


def test_a_side_that_sends_10_mbit(start: Start, clip: Path, tmp_path: Path) -> None:
    """The other side drops and counts what is too much, keeps its memory, goes on with its own film
    and sound, and is still seen by the side that floods. Afterwards all is as before.
    """
    one, two = _call(start, tmp_path, clip, FACEWIRE_TEST_FLOOD="1")
    two.signal(signal.SIGUSR1)
    time.sleep(_SECONDS + 2.0)
    two.signal(signal.SIGUSR2)
    time.sleep(_SECONDS + 2.0)
    _leave(one, two)
    rows = _rows(tmp_path, "one")
    dropped = [row["line"]["dropped"] for row in rows]
    first = next(n for n, count in enumerate(dropped) if count > 100)
    last = dropped.index(dropped[-1])
    begin, end = (rows[n]["seconds"] for n in (first, last))
    print(f"{dropped[-1]} dropped in {end - begin:.1f} s")
    came = rows[last]["line"]["received_bytes"] - rows[first]["line"]["received_bytes"]
    assert came * 8 > 2e6 * (end - begin)  # far more than is taken, however busy the machine is
    before, after = (rows[n]["memory_mb"] for n in (first, -1))
    print(f"memory: {before} and then {after} MB")
    assert after < before + 60
    assert {row["state"] for row in rows[first:]} == {"connected"}
    gaps = [b["seconds"] - a["seconds"] for a, b in itertools.pairwise(rows)]
    assert max(gaps[first - 1 :]) < 5.0  # it is never stopped
    seen = _rows(tmp_path, "two")
    assert _shown(seen, begin, end) > 2  # the other direction is kept
    assert _shown(rows, end, rows[-1]["seconds"]) > 2  # and this one is again as before
    film = Capture(tmp_path / "one.mp4")
    assert film.info.has_sound
