"""A call between two network namespaces: an address that changes, and a line that is cut."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facewire.sender.tracking.capture import Capture

for _module in ("aiortc", "aiohttp", "cryptography"):
    pytest.importorskip(_module)

ROOT = Path(__file__).resolve().parents[2]
IP = shutil.which("ip")


def ip(*words: str) -> bool:
    return IP is not None and subprocess.run([IP, *words], capture_output=True).returncode == 0


@pytest.fixture
def spaces() -> Iterator[tuple[str, str]]:
    """Two namespaces with a cable between them: 10.77.0.1 and 10.77.0.2."""
    one, two = f"fwa{os.getpid()}", f"fwb{os.getpid()}"
    if not ip("netns", "add", one):
        pytest.skip("network namespaces are not allowed here")
    try:
        assert ip("netns", "add", two)
        assert ip("-n", one, "link", "add", "cable", "type", "veth", "peer", "cable", "netns", two)
        for number, name in enumerate((one, two), 1):
            ip("-n", name, "link", "set", "lo", "up")
            assert ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "cable")
            assert ip("-n", name, "link", "set", "cable", "up")
        yield one, two
    finally:
        ip("netns", "del", one)
        ip("netns", "del", two)


class Side:
    """`facewire call` in a namespace."""

    def __init__(self, space: str, folder: Path, name: str, *words: str) -> None:
        self._said, self._link = folder / f"{name}.stderr", folder / f"{name}.stdout"
        environment = {**os.environ}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with self._said.open("wb") as err, self._link.open("wb") as out:
            self.process = subprocess.Popen(
                [
                    *(str(IP), "netns", "exec", space),
                    *(sys.executable, "-m", "tests.call.fake_program", "call", *words),
                ],
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env=environment,
                # A test run in the background ignores Ctrl-C, and its children would too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def said(self) -> str:
        return self._said.read_text() + self._link.read_text()

    def waits_for(self, text: str, times: int = 1, seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while self.said().count(text) < times:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < ends, self.said()
            time.sleep(0.02)

    def link(self) -> str:
        self.waits_for("#")
        return self._link.read_text().strip()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@pytest.mark.slow
def test_an_address_that_changes_and_a_cable_that_is_pulled(
    spaces: tuple[str, str], clip: Path, tmp_path: Path
) -> None:
    one_space, two_space = spaces
    words = ["--in", str(clip), "--loop", "--out"]
    one = Side(one_space, tmp_path, "one", *words, str(tmp_path / "one.mp4"))
    two = None
    try:
        two = Side(two_space, tmp_path, "two", *words, str(tmp_path / "two.mp4"), one.link())
        two.waits_for("connected")
        one.waits_for("connected")
        time.sleep(1.0)  # in which pictures come

        ip("-n", two_space, "addr", "add", "10.77.0.9/24", "dev", "cable")
        ip("-n", two_space, "addr", "del", "10.77.0.2/24", "dev", "cable")
        ip("-n", two_space, "addr", "add", "10.77.0.9/24", "dev", "cable")  # it went with the first
        began = time.monotonic()
        two.waits_for("the line is lost")
        two.waits_for("the line is back")
        one.waits_for("the line is back")
        print(f"a new address: back after {time.monotonic() - began:.1f} s")
        time.sleep(1.0)

        ip("-n", two_space, "link", "set", "cable", "down")
        one.waits_for("nothing comes from the other side", times=2)
        ip("-n", two_space, "link", "set", "cable", "up")
        began = time.monotonic()
        one.waits_for("the line is back", times=2)
        print(f"a cable: back after {time.monotonic() - began:.1f} s")

        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(30) == 130
        assert two.process.wait(30) == 0, two.said()
        assert "the other side left" in two.said()
    finally:
        one.end()
        if two is not None:
            two.end()
    for name in ("one", "two"):
        assert Capture(tmp_path / f"{name}.mp4").info.timing.frames > 2
