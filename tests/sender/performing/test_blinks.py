"""Blinks as often as those of people, each whole."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.sender.performing.blinks import COURSE, EVERY_S, Blinks


def begins(seed: int, seconds: float) -> np.ndarray:
    """Times at which lids are half down, on their way."""
    blinks, times = Blinks(np.random.default_rng(seed)), np.arange(0, seconds, 0.01)
    down = np.array([blinks.at(float(time)) for time in times])
    assert 0 <= down.min() <= down.max() <= 1
    return np.asarray(times[1:][(down[1:] > 0.5) & (down[:-1] <= 0.5)])


def test_as_often_as_people_blink() -> None:
    found = begins(1, 1800)
    apart = np.diff(found)
    assert 20 < 60 * len(found) / 1800 < 33
    assert apart.min() >= EVERY_S * (len(COURSE) - 1) - 0.02
    assert np.median(apart) == pytest.approx(1.45, rel=0.15)
    assert apart.max() < 12.1


def test_lids_fall_faster_than_they_rise() -> None:
    deepest = int(np.argmax(COURSE))
    assert deepest < len(COURSE) - deepest
    assert max(COURSE) > 0.8
    assert COURSE[0] == COURSE[-1] == 0


def test_seeds() -> None:
    assert begins(2, 60) == pytest.approx(begins(2, 60))
    assert len(begins(2, 60)) != len(begins(3, 60)) or not np.allclose(begins(2, 60), begins(3, 60))


def test_after_a_long_pause_there_is_no_storm_of_blinks() -> None:
    blinks = Blinks(np.random.default_rng(4))
    blinks.at(0.0)
    assert blinks.at(1e6) == 0
    assert any(blinks.at(1e6 + n / 50) > 0.5 for n in range(1000))
