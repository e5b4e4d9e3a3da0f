"""When the lighter network takes over, and when it hands back."""

from __future__ import annotations

import pytest

from facewire.call.render_load import RenderLoad


class Screen:
    """Renders the pictures of a stream, 25 a second, as fast as its networks are."""

    def __init__(self, full_s: float, light_s: float) -> None:
        self.load = RenderLoad()
        self.seconds = {False: full_s, True: light_s}
        self.now = 0.0
        self.light_s = 0.0
        self.changes = 0

    def run(self, until: float) -> None:
        while self.now < until:
            light = self.load.light
            took = self.seconds[light]
            ticks = max(1, -(-took // 0.04))  # the newest picture is taken when one is done
            self.load.add(self.now + took, took, int(ticks) - 1)
            self.now += 0.04 * ticks
            self.light_s += 0.04 * ticks * light
            self.changes += self.load.light != light


def test_a_fast_computer_keeps_the_network() -> None:
    screen = Screen(0.02, 0.008)
    screen.run(60)
    assert screen.changes == 0


def test_fewer_pictures_come_first() -> None:
    """Every second picture lost would be too much; a computer that just misses is left alone."""
    load = RenderLoad()
    for index in range(2000):
        load.add(index * 0.05, 0.05, int(index % 4 == 0))  # four of five
    assert not load.light


def test_a_slow_computer_gets_the_lighter_network_within_seconds() -> None:
    screen = Screen(0.1, 0.03)
    screen.run(10)
    assert screen.load.light
    assert screen.light_s > 4


def test_the_heavier_network_comes_back_when_it_would_keep_up() -> None:
    screen = Screen(0.1, 0.03)
    screen.run(10)
    screen.seconds = {False: 0.02, True: 0.006}
    screen.run(60)
    assert not screen.load.light
    assert screen.changes == 2


def test_returns_that_were_wrong_become_rare() -> None:
    """Both networks take longer or shorter in turn, so that each return is a mistake."""
    screen = Screen(0.1, 0.03)
    for begin in range(0, 1200, 20):
        screen.seconds = {False: 0.1, True: 0.006 if begin % 40 else 0.03}
        screen.run(begin + 20)
    assert screen.changes < 24


def test_it_does_not_decide_in_the_first_seconds() -> None:
    load = RenderLoad()
    for index in range(30):
        load.add(index * 0.1, 0.1, 2)
    assert not load.light


def test_it_knows_how_long_a_picture_takes() -> None:
    load = RenderLoad()
    assert load.usual_s == 0.0
    for turn in range(100):
        load.add(0.1 * turn, 0.06, 1)
    assert load.usual_s == pytest.approx(0.06)
