"""`program`: runs a command line as a whole process that Ctrl-C ends with a sentence, always.

`guarded` does that while a command runs. But Ctrl-C may come while modules are still loaded, or
while Python ends. Then Python would show a traceback, and end itself by the bare signal.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

__all__ = ["codec_eval", "facewire", "program"]

_INTERRUPTED = 130


def program(name: str, run: Callable[[], int]) -> int:
    """Run a command line. Nothing of the process but its end comes after it.

    Args:
        name: to put before the sentence.
        run: loads what it needs, and returns the exit code.

    Returns:
        What `run` returns. After Ctrl-C it ends the process with 130 and does not return. From
        here on Ctrl-C is ignored: what was to be closed is closed, and the exit code is decided.
    """
    try:
        _keep_standard_streams()
        code = run()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print(f"\n{name}: interrupted", file=sys.stderr)
        code = _INTERRUPTED
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if code == _INTERRUPTED:
        # Where Ctrl-C passed through code that an extension module ran, Python remembers it as not
        # handled, and ends itself by the bare signal in spite of the exit code.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _keep_standard_streams() -> None:
    """Where a standard stream is closed (`2>&-`), keep its number from the next file that is
    opened: what libraries print would be written into that file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stderr is None:  # `print` would take standard output in its place
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115


def facewire() -> int:
    """The command `facewire`."""

    def run() -> int:
        from .main import main

        return main()

    return program("facewire", run)


def codec_eval() -> int:
    """The command `codec-eval`."""

    def run() -> int:
        from .evaluate import main

        return main()

    return program("codec-eval", run)
