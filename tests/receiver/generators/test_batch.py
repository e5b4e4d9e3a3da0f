"""Many callers at once give what each would get alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError
from facewire.codec.motion.frame import MotionFrame
from facewire.models.face.mesh import POINTS
from facewire.models.weights import load_card
from facewire.receiver.generators.batch import BatchGenerator, Request
from facewire.receiver.generators.load import load_generator


def motion(seed: int) -> MotionFrame:
    rng = np.random.default_rng(seed)
    eye = np.eye(2) + rng.uniform(-0.1, 0.1, (10, 2, 2))
    return MotionFrame(rng.uniform(-0.3, 0.3, (10, 2)).astype(np.float32), eye.astype(np.float32))


def keyframe(seed: int) -> tuple[np.ndarray, MotionFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    picture = rng.integers(30, 220, (8, 8, 3)).astype(np.uint8).repeat(32, 0).repeat(32, 1)
    return picture, motion(seed), rng.uniform(-0.4, 0.4, (len(POINTS), 2)).astype(np.float32)


def sound(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (80, 20)).astype(np.float32)


@pytest.fixture(scope="module")
def batch() -> BatchGenerator:
    torch.set_num_threads(1)
    return BatchGenerator(load_card("s"), 3)


def test_callers_do_not_see_each_other(batch: BatchGenerator) -> None:
    sources = [batch.set_source(*keyframe(seed)) for seed in range(3)]
    requests = [Request(sources[i], motion(10 + i), sound(i) if i else None) for i in range(3)]
    together = batch.render(requests)
    alone = load_generator(load_card("s"), "torch", 1)
    for caller, request in enumerate(requests):
        source = alone.set_source(*keyframe(caller))
        expected = alone.render(source, request.motion, request.mel)
        got = together[caller]
        assert got is not None
        assert np.abs(got.astype(int) - expected).max() <= 1
        assert np.abs(got.astype(int) - expected).mean() < 0.01


def test_nobody_has_to_take_part(batch: BatchGenerator) -> None:
    source = batch.set_source(*keyframe(0))
    first, second = batch.render([None, Request(source, motion(1), None)])
    assert first is None
    assert second is not None
    assert batch.render([]) == []
    assert batch.render([None]) == [None]


def test_a_caller_may_go_back_to_an_old_keyframe(batch: BatchGenerator) -> None:
    old, new = (batch.set_source(*keyframe(seed)) for seed in (4, 5))
    (before,) = batch.render([Request(old, motion(1), None)])
    batch.render([Request(new, motion(1), None)])
    (after,) = batch.render([Request(old, motion(1), None)])
    np.testing.assert_array_equal(before, after)


def test_a_held_frame_does_not_hold_the_batch(batch: BatchGenerator) -> None:
    source = batch.set_source(*keyframe(0))
    (frame,) = batch.render([Request(source, motion(1), None)])
    assert frame is not None
    assert frame.base is None or frame.base.nbytes == frame.nbytes


def test_impossible_batches_are_refused(batch: BatchGenerator) -> None:
    card = load_card("s")
    with pytest.raises(ConfigError, match="1 caller or more"):
        BatchGenerator(card, 0)
    with pytest.raises(ConfigError, match="4 requests, but 3 callers"):
        batch.render([None] * 4)
    cpu = torch.device("cpu")
    with pytest.raises(ConfigError, match="CUDA graph"):
        BatchGenerator(card, 1, device=cpu, graph=True)
    with pytest.raises(ConfigError, match="bf16"):
        BatchGenerator(card, 1, device=cpu, bf16=True)
