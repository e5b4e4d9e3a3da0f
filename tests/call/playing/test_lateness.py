"""How late sound is found to be, and the percentile of a few values without numpy."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.call.playing.lateness import Lateness, percentile
from facewire.codec.sound.opus import SAMPLE_RATE

PIECE_S = 0.08


def hear(lateness: Lateness, start_s: float, late_s: float, *, timely: bool = True) -> None:
    """A piece comes, its end so late."""
    start, count = round(start_s * SAMPLE_RATE), round(PIECE_S * SAMPLE_RATE)
    lateness.count(start, count, start_s + PIECE_S + late_s, timely=timely)


def test_the_piece_before_a_pause_does_not_count_after_it_either() -> None:
    """The sender held it back, in case that more would come. In a long mute a word of the pause is
    lost, so that playing goes on at another time.
    """
    lateness = Lateness()
    for n in range(20):
        hear(lateness, n * PIECE_S, 0.1 if n < 19 else 0.3)
    usual = 0.1 + PIECE_S + 0.01
    assert lateness.delay_s == pytest.approx(usual)
    hear(lateness, 200.0, 0.4, timely=False)
    lateness.begin_anew()
    assert lateness.delay_s == pytest.approx(usual)


def test_another_clock_is_followed_at_once() -> None:
    lateness = Lateness()
    for n in range(20):
        hear(lateness, n * PIECE_S, 0.1)
    for timely in (True, False):
        hear(lateness, 500.0, -300.0, timely=timely)
        lateness.begin_anew()
        assert lateness.delay_s == pytest.approx(-300.0 + PIECE_S + 0.01)
        hear(lateness, 1000.0, 100.0)
        lateness.begin_anew()


def test_at_the_beginning_of_a_stream_only_the_newer_half_counts() -> None:
    lateness = Lateness()
    for n in range(30):
        hear(lateness, n * PIECE_S, 0.4 if n < 10 else 0.1)
    assert lateness.delay_s == pytest.approx(0.1 + PIECE_S + 0.01)


@pytest.mark.parametrize("share", [0.0, 50.0, 95.0, 97.0, 100.0])
def test_the_percentile_is_that_of_numpy(share: float) -> None:
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 10, 83, 125):
        for _ in range(20):
            values = rng.normal(4900, 0.05, count).tolist()
            assert percentile(values, share) == float(np.percentile(values, share))
