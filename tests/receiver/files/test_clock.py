from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from facewire.codec.stream import StreamHeader
from facewire.receiver.files.clock import LONGEST_PAUSE, FileClock

HEADER = StreamHeader("avfr-s", bytes(32))
OTHER = replace(HEADER, fps=Fraction(30))
FRAME = Fraction(1, 25)
YEAR = 365 * 86_400


def place(clock: FileClock, time: Fraction | int, header: StreamHeader = HEADER) -> Fraction:
    return clock.place(header, Fraction(time), FRAME)


def test_times_of_a_usual_stream_stay() -> None:
    clock = FileClock()
    times = [Fraction(n, 25) for n in range(100)] + [Fraction(LONGEST_PAUSE)]
    assert [place(clock, time) for time in times] == times
    assert clock.end == LONGEST_PAUSE + FRAME
    assert clock.joints == 0


def test_a_stream_joined_in_the_middle_begins_at_zero() -> None:
    clock = FileClock()
    assert [place(clock, 5000 + n * FRAME) for n in range(3)] == [0, FRAME, 2 * FRAME]


def test_a_jump_of_a_year_is_left_out() -> None:
    clock = FileClock()
    place(clock, 0)
    assert place(clock, YEAR) == FRAME
    assert place(clock, YEAR + FRAME) == 2 * FRAME
    assert place(clock, 3) == 3  # the first stretch is still known: pictures come after the sound
    assert place(clock, 2 * YEAR) == 3 + FRAME
    assert clock.joints == 2


def test_a_jump_backwards_and_another_stream_go_on_at_the_end() -> None:
    clock = FileClock()
    place(clock, 10 * YEAR)
    assert place(clock, 5 * YEAR) == FRAME
    assert place(clock, 5 * YEAR, OTHER) == 2 * FRAME
    assert clock.joints == 2
    assert clock.end == 3 * FRAME


def test_a_slow_drift_keeps_its_pauses() -> None:
    clock = FileClock()
    for step in range(50):
        assert place(clock, step * LONGEST_PAUSE) == step * LONGEST_PAUSE
    assert clock.joints == 0


def test_thousands_of_pauses_are_no_days() -> None:
    """Of pictures of 40 ms, and of those that last as long as the pauses."""
    clock = FileClock()
    for step in range(10_000):
        place(clock, step * LONGEST_PAUSE)
    assert clock.end < 2.5 * 3600
    slow = FileClock()
    for step in range(10_000):
        time = Fraction(step * LONGEST_PAUSE)
        assert slow.place(HEADER, time, Fraction(LONGEST_PAUSE, 10)) == time
    assert slow.joints == 0
