"""A loop that says where it may be stopped."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from facewire.codec.clean_stop import clean_stop, stop_later


def press(number: int) -> None:
    """What happens when a signal comes. (In a process where tests/cli/test_train_reenactor.py ran
    before, a real one ends in a segmentation fault; whole processes get real ones in tests/call.)
    """
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)


@pytest.fixture(autouse=True)
def ctrl_c_counts() -> Iterator[None]:
    """A program in the background ignores it, and so do these tests there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_waits_for_the_place() -> None:
    turns = 0

    def loop() -> None:
        nonlocal turns
        with stop_later() as stop:
            for _ in range(3):
                stop()
                turns += 1
                press(signal.SIGINT)
                turns += 1  # this is reached

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert turns == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_one_does_not_wait() -> None:
    said: list[str] = []

    def loop() -> None:
        with stop_later():
            press(signal.SIGINT)
            said.append("once")
            press(signal.SIGINT)
            said.append("twice")

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert said == ["once"]


def test_one_that_nobody_asked_for_comes_at_the_end() -> None:
    with pytest.raises(KeyboardInterrupt), stop_later():
        press(signal.SIGINT)


def test_sigterm_does_what_it_did_before() -> None:
    def loop() -> None:
        with clean_stop(), stop_later() as stop:
            press(signal.SIGTERM)
            stop()

    with pytest.raises(SystemExit) as caught:
        loop()
    assert caught.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_error_is_not_hidden() -> None:
    def loop() -> None:
        with stop_later():
            press(signal.SIGINT)
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        loop()


def test_in_another_thread_it_does_nothing() -> None:
    found: list[object] = []

    def run() -> None:
        with stop_later() as stop:
            stop()
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
