"""A head that moves by itself: as much as people do, for hours, and never far."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from facewire.sender.performing.sway import AXES, STEP_S, Sway, Swayed

HOUR = 3600.0


def numbers(swayed: Swayed) -> list[float]:
    angles = np.degrees([swayed.yaw, swayed.pitch, swayed.roll]).tolist()
    return [*angles, swayed.x, swayed.y, math.log(swayed.nearer)]


def path(seed: int, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    sway = Sway(np.random.default_rng(seed))
    return np.array([numbers(sway.at(float(time))) for time in times])


def test_it_begins_as_in_the_photograph() -> None:
    assert numbers(Sway(np.random.default_rng(1)).at(0.0)) == [0.0] * 6


def test_for_an_hour_it_is_bounded_and_as_large_at_the_end_as_at_the_beginning() -> None:
    found = path(2, np.arange(0, HOUR, 0.25))
    spreads = np.array([axis.spread for axis in AXES])
    assert (np.abs(found) <= 3 * spreads).all()
    first, last = np.array_split(found, 2)
    assert first.std(0) == pytest.approx(last.std(0), rel=0.1)
    assert found.std(0) == pytest.approx(0.93 * spreads, rel=0.06)  # the bound takes a little
    assert (np.abs(found.mean(0)) < 0.15 * spreads).all()


def test_axes_move_apart_from_each_other() -> None:
    found = path(3, np.arange(0, HOUR / 2, 0.5))
    alike = np.corrcoef(found.T) - np.eye(6)
    assert np.abs(alike).max() < 0.15


def test_a_head_has_no_jerks() -> None:
    found = path(4, np.arange(0, 120, 0.04))
    within_a_frame = np.sqrt(((found[1:] - found[:-1]) ** 2).mean(0))
    assert (within_a_frame < 0.35 * found.std(0)).all()


def test_the_same_seed_gives_the_same_at_any_rate_of_frames() -> None:
    slow, fast = path(5, np.arange(0, 20, 0.1)), path(5, np.arange(0, 20, STEP_S / 2))
    assert fast[::10] == pytest.approx(slow, abs=1e-9)
    assert np.abs(path(6, np.arange(0, 20, 0.1)) - slow).max() > 1


def test_after_a_pause_of_days_it_goes_on() -> None:
    sway = Sway(np.random.default_rng(7))
    sway.at(1.0)
    late = sway.at(1e6)
    assert np.isfinite(numbers(late)).all()
    assert numbers(sway.at(1e6 + 1)) != numbers(late)
