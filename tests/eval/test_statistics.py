from __future__ import annotations

import math

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.eval.statistics.bd_rate import bd_rate
from facewire.eval.statistics.intervals import MIN_CLIPS, mean, mean_intervals, paired_difference

CURVE = [(0.003, 24.0), (0.005, 26.0), (0.014, 29.0), (0.03, 31.0)]


def test_mean_ignores_what_is_not_a_number() -> None:
    assert mean([1.0, math.nan, 3.0, math.inf]) == 2.0
    assert math.isnan(mean([math.nan]))
    assert math.isnan(mean([]))


def test_interval_is_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(3).normal(5, 2, 200)
    (found,) = mean_intervals(values[:, None])
    half = 1.96 * values.std() / math.sqrt(len(values))
    assert found == pytest.approx((values.mean() - half, values.mean() + half), abs=0.04)


def test_interval_holds_the_true_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(7)
    table = random.normal(0, 1, (30, 400))  # 400 experiments of 30 clips
    held = [low <= 0 <= high for low, high in filter(None, mean_intervals(table, resamples=1000))]
    assert len(held) == 400
    assert 0.90 <= np.mean(held) <= 0.975


def test_interval_is_seeded_and_the_seed_counts() -> None:
    values = np.arange(20.0)[:, None] ** 2
    assert mean_intervals(values) == mean_intervals(values)
    assert mean_intervals(values) != mean_intervals(values, seed=1)


def test_few_clips_have_no_interval() -> None:
    assert mean_intervals(np.arange(MIN_CLIPS - 1.0)[:, None]) == [None]
    assert mean_intervals(np.zeros((0, 2))) == [None, None]
    with_gaps = np.array([[1.0, 1.0]] * (MIN_CLIPS - 1) + [[2.0, math.nan]])
    known, gaps = mean_intervals(with_gaps)
    assert known is not None
    assert gaps is None


def test_clips_without_a_figure_do_not_count() -> None:
    values = np.random.default_rng(0).normal(3, 1, 40)
    gaps = np.concatenate([values, np.full(40, np.nan)])[:, None]
    whole, holed = mean_intervals(values[:, None])[0], mean_intervals(gaps)[0]
    assert whole is not None
    assert holed == pytest.approx(whole, abs=0.12)


def test_many_clips_are_drawn_in_blocks() -> None:
    values = np.random.default_rng(0).normal(3, 1, 30_000)
    (found,) = mean_intervals(values[:, None], resamples=200)
    assert found is not None
    assert found[1] - found[0] == pytest.approx(2 * 1.96 / math.sqrt(30_000), rel=0.3)


def test_a_table_has_two_axes() -> None:
    with pytest.raises(ConfigError, match="two axes"):
        mean_intervals(np.arange(6.0))


def test_pairs_tell_apart_what_means_do_not() -> None:
    random = np.random.default_rng(5)
    hard = random.normal(0, 1, 15)
    a = {str(i): float(value) for i, value in enumerate(hard)}
    b = {str(i): float(value) + 0.1 + 0.02 * random.normal() for i, value in enumerate(hard)}
    found = paired_difference(b, a)
    assert found is not None
    assert found.clear
    assert found.mean == pytest.approx(0.1, abs=0.02)
    assert (found.clips, found.above, found.below) == (15, 15, 0)
    apart = mean_intervals(np.array([list(a.values()), list(b.values())]).T)
    assert apart[0] is not None
    assert apart[1] is not None
    assert apart[0][1] > apart[1][0]  # the intervals of the means overlap


def test_equal_codecs_are_not_told_apart() -> None:
    random = np.random.default_rng(6)
    a = {str(i): float(random.normal()) for i in range(20)}
    b = {str(i): float(random.normal()) for i in range(20)}
    found = paired_difference(a, b)
    assert found is not None
    assert not found.clear


def test_pairs_need_common_clips() -> None:
    assert paired_difference({"a": 1.0}, {"b": 1.0}) is None
    few = paired_difference({"a": 1.0, "b": 2.0}, {"a": 0.0, "c": 1.0})
    assert few is not None
    assert (few.clips, few.mean, few.ci, few.clear) == (1, 1.0, None, False)


@pytest.mark.parametrize("factor", [0.5, 0.9, 2.0])
@pytest.mark.parametrize("higher", [True, False])
def test_bd_rate_of_a_known_shift(factor: float, higher: bool) -> None:
    sign = 1 if higher else -1
    anchor = [(rate, sign * quality) for rate, quality in CURVE]
    curve = [(factor * rate, figure) for rate, figure in anchor]
    found = bd_rate(list(reversed(curve)), anchor, higher_is_better=higher)
    assert found.percent == pytest.approx(100 * (factor - 1))
    assert found.note == ""
    assert found.points == (4, 4)


def test_bd_rate_over_part_of_the_qualities_says_so() -> None:
    curve = [(rate / 2, quality + 3) for rate, quality in CURVE]
    found = bd_rate(curve, CURVE, higher_is_better=True)
    assert found.percent is not None
    assert found.percent < -50
    assert "40 % of qualities" in found.note


def test_bd_rate_from_three_points_says_so() -> None:
    found = bd_rate(CURVE[:3], CURVE[:3], higher_is_better=True)
    assert found.percent == pytest.approx(0)
    assert found.note == "from 3 points only"


@pytest.mark.parametrize(
    ("curve", "why"),
    [
        ([], "it has no rate"),
        (CURVE[:1], "it has one rate"),
        ([CURVE[0], CURVE[0], CURVE[1]], "it has 2 different rates"),  # a codec at its floor
        ([(r, q + 20) for r, q in CURVE], "better than the anchor at all rates"),
        ([(r, q - 20) for r, q in CURVE], "worse than the anchor at all rates"),
        ([(r, -q) for r, q in CURVE], "does not get better"),
        ([(0.0, 24.0), *CURVE[1:]], "rate that is not above 0"),
        ([(0.003, math.nan), *CURVE[1:]], "figure that is missing"),
    ],
)
def test_bd_rate_that_cannot_be_computed(curve: list[tuple[float, float]], why: str) -> None:
    found = bd_rate(curve, CURVE, higher_is_better=True)
    assert found.percent is None
    assert why in found.note


def test_bd_rate_names_the_anchor_where_that_is_at_fault() -> None:
    found = bd_rate(CURVE, CURVE[:2], higher_is_better=True)
    assert found.percent is None
    assert "the anchor has 2" in found.note
