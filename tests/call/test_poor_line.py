"""`facewire call` twice, with the smallest network, over lines that lose, delay, queue and die."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from facewire.call.simulated import LineConditions
from facewire.cli.info import describe

from .real_network import ETHERNET, IP, Program, Relay, call, ip

for _module in ("aiortc", "aiohttp", "cryptography"):
    pytest.importorskip(_module)


def _can_make_namespaces() -> bool:
    name = f"fwt{os.getpid()}"
    try:
        made = subprocess.run([IP, "netns", "add", name], capture_output=True).returncode == 0
        subprocess.run([IP, "netns", "del", name], capture_output=True)
    except OSError:  # there is no such program
        return False
    return made


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not _can_make_namespaces(), reason="network namespaces are not allowed here"
    ),
]


@dataclass(frozen=True)
class Poor:
    """A line, the ceiling of both sides in kbit/s, and the seconds that are looked at once both
    have a picture that is signed.
    """

    line: LineConditions
    ceiling: float = 16.0
    seconds: float = 6.0

    @property
    def kbps(self) -> float:
        return min(self.ceiling, self.line.kbps or self.ceiling)


def line(**settings: Any) -> LineConditions:
    """50 ms each way, and what else is said; frames lose their Ethernet heads in the count."""
    return replace(LineConditions(delay_s=0.05, overhead=-ETHERNET), **settings)


LINES = {
    "5 % lost": Poor(line(loss=0.05)),
    "20 % lost and far away": Poor(line(loss=0.2, delay_s=0.15)),
    "10 % lost of 24 kbit/s": Poor(line(loss=0.1, kbps=24), 64),
    "12 kbit/s": Poor(line(kbps=12), 64, 20.0),  # setting up the call fills it for so long
    "20 kbit/s": Poor(line(kbps=20), 64),
    "64 kbit/s": Poor(line(kbps=64), 64),
}


def _words(clip: Path, kbps: float) -> list[str]:
    return ["--in", str(clip), "--loop", "--kbps", f"{kbps:g}", "--network", "xs"]


def _counts_as_the_line(programs: Sequence[Program], relay: Relay) -> None:
    for program, carried in zip(programs, relay.carried, strict=True):
        sent = program.rows()[-1]["line"]["sent_bytes"]
        # Neither counts the very last packets of the goodbye as the other does.
        assert abs(sent - carried) < 0.02 * carried + 2000


@pytest.mark.parametrize("poor", LINES.values(), ids=LINES)
def test_a_call_over_a_poor_line(poor: Poor, clip: Path, tmp_path: Path) -> None:
    """Pictures come all the same, neither side sends much more than it may or the line carries,
    each counts what the line counts, and what was recorded is whole.
    """
    with call(poor.line, tmp_path, _words(clip, poor.ceiling)) as (programs, relay):
        for program in programs:
            program.waits_for("the picture is signed")
        time.sleep(poor.seconds)
    for program in programs:
        rows = program.rows()
        first = next(row for row in rows if row["call"]["shown"])
        assert rows[-1]["call"]["shown"] > first["call"]["shown"] + 2  # however busy the machine is
        passed = rows[-1]["seconds"] - first["seconds"]
        sent = rows[-1]["line"]["sent_bytes"] - first["line"]["sent_bytes"]
        print(f"{program.name}: {sent * 8 / 1000 / passed:.1f} of {poor.kbps:g} kbit/s")
        assert sent * 8 / 1000 < 1.5 * poor.kbps * passed
        facts = describe(tmp_path / f"{program.name}.fwire")
        assert facts["damaged_packets"] == 0
        assert facts["frames"] > 2
    _counts_as_the_line(programs, relay)


def test_a_whole_call_keeps_its_rate(clip: Path, tmp_path: Path) -> None:
    """From the first packet for connecting to the last one of the goodbye, handshakes and the first
    keyframe counted in, each side sends at most 5 % more than 16 kbit/s. Program and relay count
    the same, but for the two packets that close the connection after the program's last count.
    """
    with call(line(), tmp_path, _words(clip, 16)) as (programs, relay):
        for program in programs:
            program.waits_for("the picture is signed")
        time.sleep(20)
    for program, packets, carried in zip(programs, relay.sent, relay.carried, strict=True):
        seconds = packets[-1].at - packets[0].at
        print(f"{program.name}: {8 * carried / 1000 / seconds:.2f} kbit/s in {seconds:.1f} s")
        assert 8 * carried / 1000 <= 1.05 * 16 * seconds
        closing = sum(packet.size for packet in packets[-2:] if 20 <= packet.first < 64)
        counted = program.rows()[-1]["line"]["sent_bytes"]
        assert carried - counted in (0, closing)


def test_ten_seconds_of_nothing(clip: Path, tmp_path: Path) -> None:
    """Both say that nothing comes, the picture stands, and it moves again once the line is back.
    The keyframe is not sent again.
    """
    with call(line(), tmp_path, _words(clip, 16)) as (programs, relay):
        for program in programs:
            program.waits_for("the picture is signed")
        dies, lives = time.time() + 2, time.time() + 12
        relay.change(2.0, {"dead": True})
        relay.change(12.0, {"dead": False})
        for program in programs:
            program.waits_for("nothing comes from the other side")
        time.sleep(lives + 5 - time.time())
    _counts_as_the_line(programs, relay)
    for program in programs:
        rows = program.rows()
        meanwhile = [row["call"]["shown"] for row in rows if dies + 5 < row["time"] < lives]
        assert meanwhile[0] == meanwhile[-1]
        assert rows[-1]["call"]["shown"] > meanwhile[-1] + 2
        print(next(row["time"] for row in rows if row["call"]["shown"] > meanwhile[-1]) - lives)
        facts = describe(tmp_path / f"{program.name}.fwire")
        whole = [one for one in facts["references"] if one["base"] is None]
        assert len(whole) == 1
        assert facts["damaged_packets"] == 0


def test_thirty_seconds_of_nothing_and_a_new_address(clip: Path, tmp_path: Path) -> None:
    """The old connection cannot come back, so a new one is made under the same session. The
    references are still there: no whole keyframe is sent again, and pictures go on.
    """
    with call(line(), tmp_path, _words(clip, 16)) as (programs, relay):
        for program in programs:
            program.waits_for("the picture is signed")
        dies, lives = time.time() + 1, time.time() + 31
        relay.change(1.0, {"dead": True})
        relay.change(31.0, {"dead": False})
        programs[0].waits_for("nothing comes from the other side")
        cable = ("-n", programs[1].space, "addr")
        ip(*cable, "add", "10.78.0.9/24", "dev", "cable")
        ip(*cable, "del", "10.78.0.2/24", "dev", "cable")
        if "10.78.0.9" not in _addresses(programs[1]):  # it went with the first
            ip(*cable, "add", "10.78.0.9/24", "dev", "cable")
        programs[1].waits_for("the line is lost")
        for program in programs:
            program.waits_for("the line is back")
            assert time.time() > lives
        back = time.time()
        time.sleep(6)
    for program in programs:
        rows = program.rows()
        meanwhile = [row["call"]["shown"] for row in rows if dies + 5 < row["time"] < lives]
        assert meanwhile[0] == meanwhile[-1]
        goes_on = next(row["time"] for row in rows if row["call"]["shown"] > meanwhile[-1])
        print(f"{program.name}: back {back - lives:.1f}, seen {goes_on - lives:.1f}")
        assert goes_on < lives + 20
        assert rows[-1]["call"]["shown"] > meanwhile[-1] + 2
        assert rows[-1]["line"]["connections"] == 2
        assert rows[-1]["call"]["restarts"] == 0
        facts = describe(tmp_path / f"{program.name}.fwire")
        whole = [one for one in facts["references"] if one["base"] is None]
        assert len(whole) == 1
        assert facts["damaged_packets"] == 0


def _addresses(program: Program) -> str:
    shown = subprocess.run(
        [IP, "-n", program.space, "addr", "show", "dev", "cable"], capture_output=True, check=True
    )
    return shown.stdout.decode()
