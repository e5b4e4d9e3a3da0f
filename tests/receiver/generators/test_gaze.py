"""Networks that show where the eyes look: every generator gives them the irises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.gaze import with_irises
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.mesh import POINTS, select_points
from facewire.models.weights import load_card
from facewire.models.weights.runtime_graphs import load_graph
from facewire.receiver.generators.batch import BatchGenerator, Request
from facewire.receiver.generators.live import LiveGenerator
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.openvino import OpenVinoGenerator
from facewire.receiver.generators.protocol import Generator


def looking(across: float, down: float) -> MotionFrame:
    """The face in the middle of its numbers, whose eyes look so."""
    table = load_card("s").face_table()
    still = MeshKeypoints(table).keyframe(0.6 * table.mean)
    return replace(still, gaze=np.array([across, down], np.float32))


def picture() -> np.ndarray:
    return np.random.default_rng(1).integers(30, 220, (64, 64, 3)).astype(np.uint8)


def points() -> np.ndarray:
    return select_points(0.6 * load_card("s").face_table().mean)


def shown(generator: Generator, source: MotionFrame, *frames: MotionFrame) -> list[np.ndarray]:
    prepared = generator.set_source(picture(), source, points())
    return [generator.render(prepared, frame, None).astype(int) for frame in frames]


def test_the_network_takes_the_irises(gaze_network: Path) -> None:
    frame = load_graph(load_card(gaze_network), "frame")
    shapes = {port.get_any_name(): list(port.shape) for port in frame.inputs}
    assert shapes["points"] == shapes["source_points"] == [1, len(POINTS) + 2, 2]


@pytest.mark.parametrize("backend", ["openvino", "torch"])
def test_eyes_move_the_picture_about_the_eyes_most(gaze_network: Path, backend: Any) -> None:
    generator = load_generator(load_card(gaze_network), backend, 1, "float32")
    assert generator.points(
        generator.set_source(picture(), looking(0, 0), points()), looking(0.5, 0.1)
    ).shape == (len(POINTS), 2)
    still, aside = shown(generator, looking(0, 0), looking(0, 0), looking(0.6, 0.1))
    change = np.abs(still - aside).sum(-1)
    eyes = with_irises(points(), np.zeros(2, np.float32))[-2:]
    y, x = (np.mgrid[:64, :64] + 0.5) / 32 - 1
    near = np.min([np.hypot(x - a, y - b) for a, b in eyes], 0) < 0.25
    assert change[near].mean() > 4 * change[~near].mean()


def test_the_source_has_its_own_gaze(gaze_network: Path) -> None:
    generator = load_generator(load_card(gaze_network), threads=1, precision="float32")
    (one,) = shown(generator, looking(0, 0), looking(0.4, 0))
    (other,) = shown(generator, looking(0.4, 0), looking(0.4, 0))
    assert np.abs(one - other).max() > 5


def test_all_generators_show_the_same(gaze_network: Path) -> None:
    card = load_card(gaze_network)
    source, frames = looking(0.1, -0.2), (looking(0.1, -0.2), looking(-0.5, 0.2))
    expected = shown(load_generator(card, "torch", 1), source, *frames)
    for generator in (
        load_generator(card, threads=1, precision="float32"),
        LiveGenerator(load_generator(card, threads=1, precision="float32")),
    ):
        for one, other in zip(shown(generator, source, *frames), expected, strict=True):
            assert np.abs(one - other).max() <= 1
    batch = BatchGenerator(card, 2)
    prepared = batch.set_source(picture(), source, points())
    made = batch.render([Request(prepared, frame, None) for frame in frames])
    for got, other in zip(made, expected, strict=True):
        assert got is not None
        assert np.abs(got.astype(int) - other).max() <= 1


@pytest.mark.parametrize("network", ["s", "xs"])
def test_the_shipped_networks_show_the_gaze(network: str) -> None:
    assert load_card(network).gaze
    generator = OpenVinoGenerator(load_card(network), 1)
    rgb = picture().repeat(4, 0).repeat(4, 1)
    prepared = generator.set_source(rgb, looking(0.3, 0.3), points())
    frames = [generator.render(prepared, looking(at, 0), None) for at in (0, 0.7)]
    assert not np.array_equal(*frames)
