"""What every command line does with errors: one sentence on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable

from ..codec.clean_stop import clean_stop

__all__ = ["guarded", "sentence"]


def guarded(program: str, call: Callable[[], int], *, debug: bool = False) -> int:
    """Run a command; never raises for a bad input, a bad file or Ctrl-C.

    Args:
        program: name to put before the sentence.
        call: the command; returns its exit code.
        debug: show the traceback too.

    Returns:
        0 well, 1 the input or a file is bad, 2 wrong usage, 128 + n ended by signal n (130
        interrupted).
    """
    try:
        with clean_stop():
            return call()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after wrong usage
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); keep the interpreter from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        print(f"{program}: {sentence(error)}", file=sys.stderr)
        return 1


def sentence(error: Exception) -> str:
    """An error in words that a person can act on."""
    from ..codec.errors import FacewireError

    if isinstance(error, FacewireError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    name = type(error).__name__
    return f"unexpected {name}: {error} (--debug shows where; please report it)"
