from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.receiver.ordering.timeline import Timeline


def feed(line: Timeline[int], values: list[int]) -> list[int]:
    return [full for value in values for full, _ in line.push(value % 65_536, value)]


def test_wraps() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    line.anchor(65_500)
    assert feed(line, list(range(65_500, 65_600))) == list(range(65_500, 65_600))


def test_one_wild_time_stamp_is_rejected() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    assert feed(line, [0, 1, 20_000, 2, 3]) == [0, 1, 2, 3]
    assert line.rejected == 1


def test_honest_pause_loses_nothing() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    assert feed(line, [0, 1, 5000, 5001, 5002]) == [0, 1, 5000, 5001, 5002]
    assert line.rejected == 0


def test_doubt_at_the_end_is_settled_by_flush() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    assert feed(line, [0, 5000]) == [0]
    assert line.flush() == [(5000, 5000)]
    assert line.flush() == []


def test_anchor_far_away_moves_the_clock_and_near_does_not() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    line.anchor(1_000_000)
    assert feed(line, [1_000_001]) == [1_000_001]
    line.anchor(1_000_050)
    assert feed(line, [1_000_002]) == [1_000_002]


def test_with_a_clock_a_time_is_expected_where_it_should_be() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    assert line.push(0, 0, 10.0) == [(0, 0)]
    later = 25 * 60 * 44 + 7  # more than 65536 ticks
    assert line.push(later % 65_536, 1, 10.0 + 60 * 44) == [(later, 1)]


def test_a_far_time_near_that_of_its_keyframe_is_believed_at_once() -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    assert feed(line, [0]) == [0]
    assert line.push(1_000_003 % 65_536, 1, near=1_000_000) == [(1_000_003, 1)]
    assert line.push(1_000_004 % 65_536, 2, near=5) == [(1_000_004, 2)]


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 40), st.lists(st.integers(1, 100), max_size=50))
def test_any_plausible_steps_unwrap(start: int, steps: list[int]) -> None:
    line: Timeline[int] = Timeline(Fraction(1, 25), 100)
    line.anchor(start)
    times = [start]
    for step in steps:
        times.append(times[-1] + step)
    assert feed(line, times) == times
