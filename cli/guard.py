"""What every command line does with errors, warnings and signals."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..codec.clean_stop import clean_stop

__all__ = ["guarded", "sentence"]


def guarded(program: str, call: Callable[[], int], *, debug: bool = False) -> int:
    """Run a command; never raises for a bad input, a bad file or Ctrl-C.

    An error becomes one sentence on stderr. What facewire logs as a warning is shown there too.
    SIGTERM and SIGHUP end the command as Ctrl-C does, so that no half-written file stays.

    Args:
        program: name to put before each sentence.
        call: the command; returns its exit code.
        debug: show the traceback of an error, and what is logged as information.

    Returns:
        0 if all went well, 1 if the input or a file is bad, 2 after wrong usage, 130 after Ctrl-C,
        128 + n after signal n.
    """
    try:
        with _logged(program, logging.INFO if debug else logging.WARNING), clean_stop():
            return call()
    except SystemExit as stop:  # argparse: 0 after --help, 2 after wrong usage
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        print(f"\n{program}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); keep the interpreter from complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if debug:
            traceback.print_exc()
        before = _stop_before(error)
        if isinstance(before, SystemExit):
            return before.code if isinstance(before.code, int) else 1
        print(f"{program}: {sentence(error)}", file=sys.stderr)
        if before is not None:
            print(f"{program}: interrupted", file=sys.stderr)
            return 130
        return 1


def _stop_before(error: BaseException) -> BaseException | None:
    """What ended the command before an error came: Ctrl-C or a signal, after which closing what was
    open, or loading an extension module, has failed. None: nothing, the error came first.
    """
    before = error.__context__
    if before is None or isinstance(before, KeyboardInterrupt | SystemExit):
        return before
    return _stop_before(before)


def sentence(error: Exception) -> str:
    """An error in words that a person can act on."""
    from ..codec.errors import FacewireError

    if isinstance(error, FacewireError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    name = type(error).__name__
    return f"unexpected {name}: {error} (--debug shows where; please report it)"


class _Lines(logging.Handler):
    """Prints each record as a line; above the progress bar, if one is drawn."""

    def __init__(self, program: str, level: int) -> None:
        super().__init__(level)
        self._program = program

    def emit(self, record: logging.LogRecord) -> None:
        from tqdm import tqdm

        tqdm.write(f"{self._program}: {record.getMessage()}", file=sys.stderr)


@contextmanager
def _logged(program: str, level: int) -> Iterator[None]:
    logger, handler = logging.getLogger("facewire"), _Lines(program, level)
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
