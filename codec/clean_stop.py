"""How a program stops: `clean_stop` lets SIGTERM and SIGHUP end it as Ctrl-C does, so that it can
clean up; `stop_later` lets a loop say where it may be stopped.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

__all__ = ["clean_stop", "stop_later"]

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


@contextmanager
def stop_later() -> Iterator[Callable[[], None]]:
    """Within the `with` block Ctrl-C, SIGTERM and SIGHUP wait until the function that it gives is
    called; then that raises what they raise.

    Python raises `KeyboardInterrupt` between any two steps of the main thread, for example when it
    has just taken the lock in a `threading.Event`. That lock is never given back, and each thread
    that needs it waits for ever. A loop that shares events with threads therefore says where it may
    be stopped. A second signal does not wait, in case the loop hangs.

    Only the main thread can catch signals; in others this does nothing.
    """
    if current_thread() is not main_thread():
        yield lambda: None
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *_SIGNALS)}
    handlers = {number: one for number, one in before.items() if callable(one)}
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            handlers[number](number, frame)

    def stop() -> None:
        if came:
            handlers[came[0]](came[0], None)

    for number in handlers:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    stop()
