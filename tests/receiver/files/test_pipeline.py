"""Pictures that are rendered at the same time come out in order, and failures stop everything."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from facewire.codec.stream import StreamHeader
from facewire.receiver.files.pipeline import Pipeline
from facewire.receiver.outputs import SoundOutput
from facewire.receiver.tracks.pictures import DuePicture

HEADER = StreamHeader("avfr-s", bytes(32))


@dataclass
class Slow:
    """Stands for a `Rendering`; an even one waits until the next one has begun."""

    number: int
    begun: list[threading.Event]
    fails: bool = False

    def picture(self) -> Any:
        self.begun[self.number].set()
        if self.number % 2 == 0:
            assert self.begun[self.number + 1].wait(30)
        if self.fails:
            raise ValueError("no picture")
        return np.full((2, 2, 3), self.number, np.uint8)


def due(number: int, rendering: Any) -> DuePicture:
    return DuePicture(rendering, Fraction(number), False, False)


def test_two_at_a_time_in_order() -> None:
    begun = [threading.Event() for _ in range(40)]
    seen: list[int | str] = []

    def write(item: Any, picture: Any, header: StreamHeader) -> None:
        assert header is HEADER
        assert threading.current_thread() is not threading.main_thread()
        seen.append("sound" if isinstance(item, SoundOutput) else int(picture[0, 0, 0]))

    with Pipeline(write, 2) as pipeline:
        for number in range(40):
            pipeline.put(due(number, Slow(number, begun)), HEADER)
            if number == 20:
                pipeline.put(SoundOutput(np.zeros(1, np.float32), Fraction(0)), HEADER)
        pipeline.finish()
    assert seen == [*range(21), "sound", *range(21, 40)]


def test_a_picture_that_stands_needs_no_rendering() -> None:
    seen: list[Any] = []
    with Pipeline(lambda item, picture, header: seen.append(picture), 1) as pipeline:
        pipeline.put(due(0, None), HEADER)
        pipeline.finish()
    assert seen == [None]


def test_what_waits_is_bounded() -> None:
    gate = threading.Event()
    written = 0

    def write(item: Any, picture: Any, header: StreamHeader) -> None:
        nonlocal written
        assert gate.wait(30)
        written += 1

    with Pipeline(write, 1) as pipeline:
        put = 0

        def fill() -> None:
            nonlocal put
            for number in range(1000):
                pipeline.put(due(number, None), HEADER)
                put += 1

        thread = threading.Thread(target=fill)
        thread.start()
        thread.join(0.5)
        assert put < 100
        gate.set()
        thread.join()
        pipeline.finish()
    assert written == 1000


def test_failures_are_raised_and_the_rest_is_dropped() -> None:
    begun = [threading.Event() for _ in range(1000)]
    for event in begun:
        event.set()
    seen: list[int] = []

    def write(item: Any, picture: Any, header: StreamHeader) -> None:
        seen.append(int(picture[0, 0, 0]))

    def run() -> None:
        with Pipeline(write, 2) as pipeline:
            for number in range(999):
                pipeline.put(due(number, Slow(number, begun, fails=number == 5)), HEADER)
            pipeline.finish()

    with pytest.raises(ValueError, match="no picture"):
        run()
    assert seen == list(range(5))
    assert threading.active_count() < 10
