"""`facewire` as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"https?://[0-9.]+:\d+/[A-Za-z0-9_-]{12}#[A-Za-z0-9_-]{24}")


class Process:
    """`facewire` with files for what it prints.

    Args:
        folder: in which these files are.
        name: of the files.
        words: arguments.
        stdin: standard input.
        program: the module that is run.
        variables: of the environment, beside those of this process.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *words: str,
        stdin: Any = subprocess.DEVNULL,
        program: str = "tests.call.fake_program",
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.out, self.err = folder / f"{name}.stdout", folder / f"{name}.stderr"
        self._begun = folder / f"{name}.begun"
        environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment["FACEWIRE_TEST_BEGUN"] = str(self._begun)
        environment.update(variables or {})
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", program, *words],
                stdin=stdin,
                stdout=out,
                stderr=err,
                cwd=ROOT,
                env=environment,
                # A test run in the background ignores Ctrl-C, and its children would too.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def waits_for(self, text: str, seconds: float = 60.0) -> None:
        ends = time.monotonic() + seconds
        while text not in self.said:
            assert self.code is None or text in self.said, self.said
            assert time.monotonic() < ends, self.said
            time.sleep(0.05)

    def begins(self, seconds: float = 60.0) -> None:
        """Wait until it is facewire that runs, and not Python that starts."""
        ends = time.monotonic() + seconds
        while not self._begun.exists():
            assert self.code is None
            assert time.monotonic() < ends
            time.sleep(0.01)

    def link(self) -> str:
        self.waits_for("#")
        ends = time.monotonic() + 60
        while not self.out.read_text().endswith("\n"):  # its line may end a moment later
            assert time.monotonic() < ends
            time.sleep(0.01)
        found = LINK.search(self.out.read_text())
        assert found is not None
        assert self.out.read_text() == f"{found[0]}\n"  # alone on a line
        return found[0]

    @property
    def code(self) -> int | None:
        return self._process.poll()

    def wait(self, seconds: float = 60.0) -> int:
        return self._process.wait(seconds)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def files(folder: Path, name: str, clip: Path) -> list[str]:
    return ["--in", str(clip), "--out", str(folder / f"{name}.mp4")]


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".facewire")]


Start = Callable[..., Process]
"""Takes what `Process` takes, but for the folder."""
