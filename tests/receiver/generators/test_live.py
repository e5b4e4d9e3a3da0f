"""Keyframes that are prepared late, and two networks of which one renders."""

from __future__ import annotations

import numpy as np
import pytest

from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.mesh import POINTS as POINT_TABLE
from facewire.models.weights import Card
from facewire.receiver.config import DecoderConfig
from facewire.receiver.generators import load
from facewire.receiver.generators.live import LiveGenerator
from facewire.receiver.generators.load import open_generator
from facewire.receiver.generators.networks import header_for
from facewire.receiver.generators.protocol import Array, Frame, Source


class Counting:
    """A `Generator` that paints one brightness, and counts what it is asked for."""

    def __init__(self, level: int) -> None:
        self.level = level
        self.prepared = self.rendered = 0

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        self.prepared += 1
        return Source(motion.to_array(), points, self.level)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        return source.points + 1

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        self.rendered += 1
        assert source.features == self.level  # prepared by this network
        return np.full((4, 4, 3), self.level, np.uint8)


STILL = MotionFrame(np.zeros((10, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)))
PICTURE = np.zeros((4, 4, 3), np.uint8)
POINTS = np.zeros((5, 2), np.float32)


def test_a_keyframe_is_prepared_ahead_or_with_its_first_picture_and_only_once() -> None:
    full = Counting(9)
    live = LiveGenerator(full)
    early, late = (live.set_source(PICTURE, STILL, POINTS) for _ in range(2))
    assert full.prepared == 0
    assert live.work_ahead()
    live.render(early, STILL, None)
    assert full.prepared == 1
    live.render(late, STILL, None)
    assert live.work_ahead()  # it was prepared already, which costs nothing
    assert not live.work_ahead()
    assert full.prepared == 2
    assert full.rendered == 2
    np.testing.assert_array_equal(live.points(early, STILL), POINTS + 1)


def test_the_lighter_network_takes_over_and_hands_back() -> None:
    full, lighter = Counting(9), Counting(3)
    live = LiveGenerator(full, lighter)
    source = live.set_source(PICTURE, STILL, POINTS)
    levels = []
    for light in (False, True, True, False):
        live.lighten(light)
        levels.append(int(live.render(source, STILL, None)[0, 0, 0]))
    assert levels == [9, 3, 3, 9]
    assert full.prepared == lighter.prepared == 1


def test_without_a_lighter_network_the_same_one_goes_on() -> None:
    live = LiveGenerator(Counting(9))
    source = live.set_source(PICTURE, STILL, POINTS)
    live.lighten(True)
    assert live.render(source, STILL, None)[0, 0, 0] == 9


def test_keyframes_that_nobody_needs_do_not_pile_up() -> None:
    full = Counting(9)
    live = LiveGenerator(full)
    for _ in range(100):
        live.set_source(PICTURE, STILL, POINTS)
    while live.work_ahead():
        pass
    assert full.prepared == 16


@pytest.mark.parametrize(
    ("size", "threads", "wanted"), [("s", 0, [None, 1]), ("xs", 0, [1]), ("s", 3, [3, 3])]
)
def test_in_calls_one_thread_makes_the_pictures_of_the_smallest_network(
    size: str, threads: int, wanted: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy computer, threads that make a picture together wait for the slowest of them."""
    asked: list[int | None] = []

    def load_generator(
        card: Card, backend: str, threads: int | None, *_: object, **__: object
    ) -> Counting:
        asked.append(threads)
        return Counting(9)

    monkeypatch.setattr(load, "load_generator", load_generator)
    open_generator(header_for(size), DecoderConfig(live=True, threads=threads))
    assert asked == wanted
    asked.clear()
    open_generator(header_for(size), DecoderConfig(threads=threads))
    assert asked == [threads or None]


def test_shipped_networks_show_nearly_the_same_face() -> None:
    """`s` in full, `xs` in reserve: they share motion and landmarks."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(60, 200, (8, 8, 3)).repeat(32, 0).repeat(32, 1).astype(np.uint8)
    live = open_generator(header_for("s"), DecoderConfig(live=True, precision="float32"))
    assert isinstance(live, LiveGenerator)
    points = rng.uniform(-0.5, 0.5, (len(POINT_TABLE), 2)).astype(np.float32)
    source = live.set_source(coarse, STILL, points)
    full = live.render(source, STILL, None).astype(float)
    live.lighten(True)
    light = live.render(source, STILL, None).astype(float)
    assert np.abs(full - light).max() > 0
    assert np.abs(full - light).mean() < 12
