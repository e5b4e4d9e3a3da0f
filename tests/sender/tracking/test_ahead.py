from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from facewire.sender.tracking.ahead import read_ahead


def test_all_items_in_order() -> None:
    assert list(read_ahead(range(100), 3)) == list(range(100))


def test_no_more_than_the_depth_is_made_ahead() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for n in range(50):
            made.append(n)
            yield n

    items = read_ahead(make(), 3)
    for taken in range(1, 51):
        next(items)
        assert len(made) <= taken + 4  # three that wait, one that waits for room
    items.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def make() -> Iterator[int]:
        yield 1
        raise OSError("disk")

    items = read_ahead(make(), 3)
    assert next(items) == 1
    with pytest.raises(OSError, match="disk"):
        next(items)


def test_closing_ends_the_thread() -> None:
    items = read_ahead(iter(int, 1), 2)
    next(items)
    items.close()
    assert not any(thread.name == "facewire-read-ahead" for thread in threading.enumerate())
