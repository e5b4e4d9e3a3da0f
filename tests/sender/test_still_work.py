"""The codings of references' pictures, with the frames or aside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from facewire.codec.errors import MediaError
from facewire.codec.picture.steps import Steps
from facewire.sender.still_work import StillWork


def counting(steps: int, done: list[int], name: int = 0) -> Steps[int]:
    for _ in range(steps):
        done.append(name)
        yield
    return name


def test_each_call_does_one_step() -> None:
    done: list[int] = []
    job = StillWork().begin(counting(2, done, 7))
    assert [job.advance() for _ in range(4)] == [False, False, True, True]
    assert done == [7, 7]
    assert job.result == 7


def test_aside_only_the_other_thread_works() -> None:
    work, done = StillWork(), []  # type: ignore[var-annotated]
    work.aside = True
    job = work.begin(counting(2, done))
    assert not any(job.advance() for _ in range(9))
    assert done == []
    assert [work.work_ahead() for _ in range(4)] == [True, True, True, False]
    assert job.advance()
    assert job.result == 0


def test_the_newest_comes_first_and_what_nobody_wants_is_left() -> None:
    work, done = StillWork(), []  # type: ignore[var-annotated]
    work.aside = True
    first, second = work.begin(counting(3, done, 1)), work.begin(counting(1, done, 2))
    work.work_ahead()
    second.drop()
    work.work_ahead()
    assert done == [2, 1]
    work.clear()
    assert not work.work_ahead()
    assert not first.done


def test_an_error_reaches_the_one_who_wants_the_result() -> None:
    def fails() -> Iterator[None]:
        yield
        raise MediaError("no such frame")

    work = StillWork()
    work.aside = True
    job = work.begin(fails())  # type: ignore[arg-type]
    assert work.work_ahead()
    assert work.work_ahead()
    assert job.advance()
    with pytest.raises(MediaError, match="no such frame"):
        _ = job.result
