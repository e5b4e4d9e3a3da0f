"""The fusion network that facewire brings, as a receiver runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, WeightsError
from facewire.models.face.mesh import POINTS
from facewire.models.fusion.evaluate import torch_fuse
from facewire.models.fusion.network import Fusion as Network
from facewire.models.fusion.store import load_fusion, save_fusion
from facewire.models.weights import fusion_card
from facewire.receiver.generators.fusion import Fusion


def picture(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    smooth = rng.uniform(40, 210, (16, 16, 3)).repeat(16, 0).repeat(16, 1)
    return (smooth + rng.normal(0, 6, smooth.shape)).clip(0, 255).astype(np.uint8)


def landmarks(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)


@pytest.fixture(scope="module")
def fusion() -> Fusion:
    return Fusion(threads=1)


def test_it_does_what_torch_does(fusion: Fusion) -> None:
    torch.set_num_threads(1)
    network = torch_fuse(load_fusion(fusion_card().folder))
    made, base = picture(0), picture(1)
    for age in (0, 5, 200):
        found = fusion.fuse(made, base, landmarks(), age=age)
        expected = network(made, base, landmarks(), age)
        assert found.shape == made.shape
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - expected).mean() < 0.5
        assert np.abs(found.astype(int) - made).mean() > 1


def test_without_a_base_the_picture_is_the_generators(fusion: Fusion) -> None:
    made, base = picture(0), picture(1)
    assert np.array_equal(fusion.fuse(made, None, landmarks()), made)
    assert np.array_equal(fusion.fuse(made, base, landmarks(), trust=0.0), made)


def test_trust_leads_from_one_picture_to_the_other(fusion: Fusion) -> None:
    made, base = picture(0), picture(1)
    apart = [
        np.abs(fusion.fuse(made, base, landmarks(), trust=trust).astype(int) - made).mean()
        for trust in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]
    assert apart == sorted(apart)
    assert apart[2] == pytest.approx(apart[4] / 2, rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"base": np.zeros((128, 128, 3), np.uint8)}, "this network's pictures"),
        ({"generated": np.zeros((256, 256, 3), np.float32)}, "this network's pictures"),
        ({"points": np.zeros((5, 2), np.float32)}, "landmarks of a frame"),
        ({"age": -1}, "a base is 0 frames old or more"),
        ({"trust": 1.5}, "trusted from 0 to 1"),
        ({"trust": float("nan")}, "trusted from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_named(
    fusion: Fusion, change: dict[str, object], message: str
) -> None:
    given = {"generated": picture(0), "base": picture(1), "points": landmarks()} | change
    with pytest.raises(ConfigError, match=message):
        fusion.fuse(**given)  # type: ignore[arg-type]


def test_weights_without_a_graph_are_named(tmp_path: Path) -> None:
    save_fusion(Network(), tmp_path)
    with pytest.raises(WeightsError, match="is not there"):
        Fusion(fusion_card(tmp_path))
