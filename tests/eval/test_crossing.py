"""Where curves cross."""

from __future__ import annotations

import math

import pytest

from facewire.eval.statistics.crossings import Lead, lead

LINE = [(0.001, 0.5), (0.01, 0.1)]


def test_ahead_and_behind_everywhere() -> None:
    worse = [(rate, figure + 0.1) for rate, figure in LINE]
    assert lead(LINE, worse, higher_is_better=False) == Lead(0.001, 0.01, True)
    assert lead(worse, LINE, higher_is_better=False) == Lead(0.001, 0.01, False)
    assert lead(LINE, worse, higher_is_better=True) == Lead(0.001, 0.01, False)


def test_equal_curves_are_not_ahead() -> None:
    assert lead(LINE, LINE, higher_is_better=False) == Lead(0.001, 0.01, False)


@pytest.mark.parametrize("ahead", [True, False])
def test_a_crossing_is_found_over_the_logarithm(ahead: bool) -> None:
    flat = [(0.001, 0.3), (0.01, 0.3)]
    pair = (flat, LINE) if ahead else (LINE, flat)
    found = lead(*pair, higher_is_better=False)
    assert found is not None
    assert found.ahead == ahead
    assert found.crossings == pytest.approx([math.sqrt(0.001 * 0.01)])


def test_to_touch_is_not_to_cross() -> None:
    touching = [(0.001, 0.5), (0.003, 0.3), (0.01, 0.5)]
    found = lead([(0.001, 0.3), (0.01, 0.3)], touching, higher_is_better=False)
    assert found == Lead(0.001, 0.01, True)


def test_a_figure_that_is_none_is_left_out() -> None:
    holed = [*LINE, (0.003, math.nan)]
    flat = [(0.001, 0.6), (0.01, 0.6)]
    assert lead(holed, flat, higher_is_better=False) == Lead(0.001, 0.01, True)


def test_only_common_rates_count() -> None:
    other = [(0.03, 0.0), (0.004, 0.9), (0.002, 0.9)]
    found = lead(LINE, other, higher_is_better=False)
    assert found is not None
    assert (found.low, found.high) == (0.002, 0.01)


def test_curves_may_cross_more_than_once() -> None:
    waves = [(1.0, 0.0), (2.0, 2.0), (4.0, 0.0), (8.0, 2.0)]
    found = lead(waves, [(1.0, 1.0), (8.0, 1.0)], higher_is_better=True)
    assert found is not None
    assert not found.ahead
    assert found.crossings == pytest.approx([2**0.5, 2**1.5, 2**2.5])


@pytest.mark.parametrize("other", [[], [(0.001, 0.4)], [(0.02, 0.1), (0.03, 0.1)]])
def test_without_rates_in_common_nothing_is_said(other: list[tuple[float, float]]) -> None:
    assert lead(LINE, other, higher_is_better=False) is None
    assert lead(other, LINE, higher_is_better=False) is None
