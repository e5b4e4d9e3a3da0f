"""Programs of Python under strace, and whom they asked."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from .programs import ROOT

STRACE = shutil.which("strace")
CALLS = ["-f", "--seccomp-bpf", "-s", "64", "-e", "trace=%network"]
OTHER = re.compile(r"(connect|send\w*)\(.*sin6?_port=htons\((\d+)\).*?\"([0-9a-f.:]+)\"")


def strace_works() -> bool:
    """It may be forbidden in a container."""
    if STRACE is None:
        return False
    return subprocess.run([STRACE, *CALLS, "true"], capture_output=True).returncode == 0


def watched(
    log: Path,
    program: str,
    *words: str,
    stdin: int = subprocess.DEVNULL,
    variables: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """A program of Python under strace, in a home where no consent is stored. What it says is in
    a file beside the log that ends in `.out`.

    Args:
        log: for strace.
        program: the module that is run.
        words: arguments.
        stdin: standard input.
        variables: of the environment, beside those of this process.
    """
    home = log.with_suffix(".home")
    home.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "DISPLAY"}
    environment |= {"HOME": str(home), "PYTHONPATH": str(ROOT), **(variables or {})}
    with log.with_suffix(".out").open("wb") as out:
        return subprocess.Popen(
            [str(STRACE), *CALLS, "-o", str(log), sys.executable, "-m", program, *words],
            stdin=stdin,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )


needs_strace = pytest.mark.skipif(not strace_works(), reason="strace is not here, or not allowed")


def server_port(link: str) -> str:
    return link.rpartition("/")[0].rpartition(":")[2]


def asked_nobody_but(log: Path, server: str | None) -> None:
    """Everything went to addresses of this machine, connections to a port only (None: there were
    none), and no name was looked up.
    """
    text = log.read_text()
    reached = [found.groups() for found in OTHER.finditer(text)]
    assert reached or "accept" in text  # else the test sees nothing
    assert {address for _, _, address in reached} <= own_addresses()
    assert "53" not in {number for _, number, _ in reached}
    assert {number for call, number, _ in reached if call == "connect"} <= {server}
    assert not re.search(r"nscd|resolve1|avahi|varlink", text)  # others that look up names


def end_all(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what strace watches would outlive it
        process.wait()


def wait_for(processes: list[subprocess.Popen[bytes]], what: Callable[[], Any]) -> Any:
    """Wait until something is so, while the first process runs."""
    ends = time.monotonic() + 400
    while not (found := what()):
        assert processes[0].poll() is None
        assert time.monotonic() < ends
        time.sleep(0.05)
    return found


def sockets_of_this_machine(log: Path) -> set[str]:
    """Paths of the sockets (AF_UNIX) that were connected to; an abstract one begins with "@"."""
    found = re.findall(r'connect\(.*sa_family=AF_UNIX, sun_path=(@?)"([^"]*)"', log.read_text())
    return {f"{abstract}{path}" for abstract, path in found}


def own_addresses() -> set[str]:
    """All addresses of this machine."""
    import ifaddr

    return {
        ip.ip if isinstance(ip.ip, str) else ip.ip[0] for a in ifaddr.get_adapters() for ip in a.ips
    }
