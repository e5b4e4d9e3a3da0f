"""`clean_stop`: SIGTERM and SIGHUP end a program as Ctrl-C does, so that it can clean up."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

__all__ = ["clean_stop"]

_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def clean_stop() -> Iterator[None]:
    """Within the `with` block the signals raise `SystemExit` (code 128 + number).

    By default they would end the process at once, and its temporary files would stay. Signals
    for which the program has a handler already, or which it ignores (`nohup`), are left alone.
    Only the main thread can catch signals; in others this does nothing.
    """
    here = current_thread() is main_thread()
    caught = [number for number in _SIGNALS if here and signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        if current_thread() is main_thread():
            for number in caught:
                signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second one must not interrupt the cleaning up
    raise SystemExit(128 + number)
