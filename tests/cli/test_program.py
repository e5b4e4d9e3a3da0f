"""Ctrl-C at the edges of a process: while modules are loaded, and while Python ends."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

_INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
_LOADING = f"""
def run():
    {_INTERRUPT}
    import time
    time.sleep(60)
"""
_ENDING = f"""
import atexit

def run():
    atexit.register(lambda: exec("{_INTERRUPT}"))
    return 7
"""
_AFTER = """
import ctypes

def run():
    # At the very end, libc calls raise(2): the signal of Ctrl-C, with the exit code as its number.
    libc = ctypes.CDLL(None)
    libc.on_exit(ctypes.cast(libc["raise"], ctypes.c_void_p), None)
    return 2
"""
_LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="on_exit is glibc's")


def code_of(source: str, end: str) -> tuple[int, str]:
    """Exit code and stderr of a process that runs `run` and ends in a way."""
    run = subprocess.run(
        [sys.executable, "-c", f"import sys\n{source}\n{end}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        # A test run in the background ignores Ctrl-C, and its children would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    return run.returncode, run.stderr


_WITH = "from facewire.cli.program import program\nsys.exit(program('facewire', run))"
_WITHOUT = "sys.exit(run())"


def test_while_modules_are_loaded() -> None:
    assert code_of(_LOADING, _WITH) == (130, "\nfacewire: interrupted\n")


def test_while_python_ends() -> None:
    assert code_of(_ENDING, _WITH) == (7, "")


@_LINUX
def test_after_python_has_ended() -> None:
    assert code_of(_AFTER, _WITH) == (2, "")


@_LINUX
def test_python_alone_would_end_by_the_signal_or_with_a_traceback() -> None:
    """Else the tests above would show nothing."""
    assert code_of(_LOADING, _WITHOUT)[0] == -signal.SIGINT
    assert "Traceback" in code_of(_ENDING, _WITHOUT)[1]
    assert code_of(_AFTER, _WITHOUT)[0] == -signal.SIGINT


@pytest.mark.parametrize("command", ["facewire", "codec_eval"])
def test_the_commands(command: str) -> None:
    end = f"sys.argv = ['x', '--help']\nfrom facewire.cli.program import {command}"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys\n{end}\nsys.exit({command}())"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0
    assert "usage" in run.stdout


_CLOSED = """
import os

def run():
    print("a remark", file=sys.stderr)
    file = os.open(os.devnull, os.O_RDONLY)
    print(file)
    return 0
"""


def test_a_closed_stderr_is_no_other_file() -> None:
    """What is printed there neither goes to standard output nor into a file that is opened."""
    run = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>&-', sys.executable, f"import sys\n{_CLOSED}\n{_WITH}"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=50,
    )
    assert run.returncode == 0
    assert int(run.stdout) > 2
