"""`facewire call` twice, with the smallest network, over a line that loses, delays and queues."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from facewire.call.simulated import LineConditions

from .real_network import ETHERNET, IP, call

_SECONDS = 8

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


@pytest.mark.slow
@pytest.mark.skipif(not _can_make_namespaces(), reason="network namespaces are not allowed here")
def test_a_call_over_a_poor_line(clip: Path, tmp_path: Path) -> None:
    """A tenth is lost, and the line carries 24 kbit/s, while both may send 64. Pictures come all
    the same, neither side sends much more than the line carries, and each counts what the line
    counts.
    """
    words = ["--in", str(clip), "--loop", "--kbps", "64", "--network", "xs"]
    line = LineConditions(loss=0.1, delay_s=0.05, kbps=24, overhead=-ETHERNET)
    with call(line, tmp_path, words) as (programs, relay):
        for program in programs:
            program.waits_for("the picture is signed")
        time.sleep(_SECONDS)
    for program, carried in zip(programs, relay.carried, strict=True):
        rows = program.rows()
        first = next(row for row in rows if row["call"]["shown"])
        assert rows[-1]["call"]["shown"] > first["call"]["shown"] + 2  # however busy the machine is
        passed = rows[-1]["seconds"] - first["seconds"]
        sent = rows[-1]["line"]["sent_bytes"] - first["line"]["sent_bytes"]
        assert sent * 8 / 1000 < 1.5 * 24 * passed
        # Neither counts the very last packets of the goodbye as the other does.
        assert abs(rows[-1]["line"]["sent_bytes"] - carried) < 0.02 * carried + 2000
