from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.sender.tracking.timing import VARIABLE_TICK, measure_timing, timing_of_stamps

NTSC = Fraction(30_000, 1001)


def stamps(fps: Fraction, tick: Fraction, count: int) -> list[int]:
    return [round(k / fps / tick) for k in range(count)]


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30), NTSC, Fraction(60), Fraction(15)])
@pytest.mark.parametrize("tick", [Fraction(1, 90_000), Fraction(1, 1000), Fraction(1, 12_800)])
def test_constant_rates_are_named_exactly(fps: Fraction, tick: Fraction) -> None:
    timing = timing_of_stamps(stamps(fps, tick, 300), tick)
    assert timing.constant
    assert timing.fps == fps
    assert timing.time_base == 1 / fps
    assert timing.duration_s == 300 / fps


def test_stamps_may_come_in_any_order_and_start_anywhere() -> None:
    tick = Fraction(1, 1000)
    given_stamps = [s + 5000 for s in stamps(Fraction(25), tick, 50)]
    timing = timing_of_stamps(given_stamps[::-1], tick)
    assert timing.constant
    assert timing.fps == 25


def test_header_that_lies_is_not_believed() -> None:
    timing = timing_of_stamps(stamps(Fraction(25), Fraction(1, 1000), 100), Fraction(1, 1000), NTSC)
    assert timing.fps == 25


def test_varying_rate() -> None:
    timing = timing_of_stamps([0, 40, 100, 110, 300, 340], Fraction(1, 1000))
    assert not timing.constant
    assert timing.time_base == VARIABLE_TICK
    assert timing.frames == 6
    assert timing.ticks(Fraction(3, 10)) == 300
    assert float(timing.fps) == pytest.approx(5 / 0.34, rel=1e-3)


def test_dropped_frames_make_the_rate_variable() -> None:
    kept = [s for k, s in enumerate(stamps(Fraction(30), Fraction(1, 1000), 100)) if k % 10 != 7]
    assert not timing_of_stamps(kept, Fraction(1, 1000), Fraction(30)).constant


def test_stamps_that_stand_still_from_a_place_on() -> None:
    """As of two MXF files that are glued together: the second is not squeezed into the first."""
    timing = measure_timing([*range(50), *[49] * 50], Fraction(1, 25))
    assert (timing.fps, timing.duration_s, timing.stamped) == (25, 4, False)


def test_one_frame_lasts_a_frame() -> None:
    timing = timing_of_stamps([1234], Fraction(1, 1000), Fraction(50))
    assert timing.frames == 1
    assert timing.duration_s == Fraction(1, 50)


@given(
    st.lists(st.integers(-(2**40), 2**40), max_size=60),
    st.fractions(Fraction(1, 10**6), 10),
    st.none() | st.fractions(Fraction(1, 1000), 10**6),
)
def test_any_stamps_give_a_rate_that_a_header_can_carry(
    numbers: list[int], tick: Fraction, claimed: Fraction | None
) -> None:
    timing = timing_of_stamps(numbers, tick, claimed)
    assert 0 < timing.fps <= 1000
    assert max(timing.fps.as_integer_ratio()) <= 10**6
    assert timing.frames == len(set(numbers))
    assert timing.duration_s >= 0


@given(st.fractions(Fraction(2), Fraction(240), max_denominator=1001), st.integers(2, 200))
def test_any_constant_rate_is_constant(fps: Fraction, count: int) -> None:
    timing = timing_of_stamps(stamps(fps, Fraction(1, 90_000), count), Fraction(1, 90_000), fps)
    assert timing.constant
    assert timing.fps == fps
