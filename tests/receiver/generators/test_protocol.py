from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.codec.errors import ConfigError, WeightsError
from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.mesh import POINTS
from facewire.models.weights import load_card
from facewire.receiver.generators.load import load_generator


def numbers(shift: float = 0.0) -> MotionFrame:
    rng = np.random.default_rng(0)
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    return MotionFrame(rng.uniform(-0.3, 0.3, (10, 2)).astype(np.float32) + shift, eye)


def picture() -> np.ndarray:
    coarse = np.random.default_rng(1).integers(30, 220, (8, 8, 3)).astype(np.uint8)
    return coarse.repeat(32, 0).repeat(32, 1)


def points() -> np.ndarray:
    return np.random.default_rng(2).uniform(-0.4, 0.4, (len(POINTS), 2)).astype(np.float32)


def rendered(backend: Any, precision: Any = "auto") -> list[np.ndarray]:
    generator = load_generator(load_card("s"), backend, 1, precision)
    source = generator.set_source(picture(), numbers(), points())
    mel = np.random.default_rng(3).normal(0, 0.3, (80, 20)).astype(np.float32)
    return [generator.render(source, numbers(s), m) for s, m in ((0, None), (0.1, mel))]


def test_openvino_and_torch_show_nearly_the_same() -> None:
    for first, second in zip(rendered("openvino"), rendered("torch"), strict=True):
        assert first.shape == (256, 256, 3)
        assert first.dtype == np.uint8
        difference = np.abs(first.astype(int) - second)
        # bf16 where the processor has it: a fraction of a level; another picture differs by tens.
        assert difference.mean() < 1


def test_float32_is_what_torch_shows() -> None:
    for first, second in zip(rendered("openvino", "float32"), rendered("torch"), strict=True):
        assert np.abs(first.astype(int) - second).mean() < 0.1


def test_motion_moves_the_picture() -> None:
    still, moved = rendered("openvino", "float32")
    assert np.abs(still.astype(int) - moved).mean() > 3


def test_frames_do_not_share_memory() -> None:
    generator = load_generator(load_card("s"), threads=1, precision="float32")
    source = generator.set_source(picture(), numbers(), points())
    first = generator.render(source, numbers(), None)
    kept = first.copy()
    generator.render(source, numbers(0.2), None)
    np.testing.assert_array_equal(first, kept)


def test_two_sources_live_beside_each_other() -> None:
    generator = load_generator(load_card("s"), threads=1, precision="float32")
    one = generator.set_source(picture(), numbers(), points())
    before = generator.render(one, numbers(), None)
    generator.set_source(255 - picture(), numbers(), points())
    np.testing.assert_array_equal(generator.render(one, numbers(), None), before)


def test_wrong_backends_pictures_and_files(tmp_path: Path) -> None:
    card = load_card("s")
    with pytest.raises(ConfigError, match="backend"):
        load_generator(card, "abacus")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="facewire export"):
        load_generator(replace(card, folder=tmp_path), precision="float32")
    generator = load_generator(card, threads=1, precision="float32")
    with pytest.raises(ConfigError, match="256"):
        generator.set_source(np.zeros((64, 64, 3), np.uint8), numbers(), points())
