"""Against torchmetrics' own networks, which get our convolutions in place of torchvision's."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from facewire.cli.demo.face import load_portrait
from facewire.codec.errors import WeightsError
from facewire.eval.metrics.base import Frame, Mean, Pair
from facewire.eval.metrics.perceptual import picture_distance
from facewire.models.avfr.perceptual import Lpips
from facewire.models.judges.perceptual import Dists, load_dists, load_lpips
from facewire.models.judges.tensors import to_tensor
from facewire.models.third_party import find_asset

# Torchvision's `features`: outputs and kernel, stride, padding of convolutions; "M" pools.
_ALEX: tuple[Any, ...] = ((64, 11, 4, 2), "M", (192, 5, 1, 2), "M")
_ALEX += ((384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1), "M")
_VGG: tuple[Any, ...] = ((64, 3, 1, 1), (64, 3, 1, 1), "M", (128, 3, 1, 1), (128, 3, 1, 1), "M")
_VGG += (*[(256, 3, 1, 1)] * 3, "M", *[(512, 3, 1, 1)] * 3, "M", *[(512, 3, 1, 1)] * 3, "M")


def torchvision_features(net: str) -> nn.Sequential:
    plan, name, pool = {
        "alexnet": (_ALEX, "alexnet_features_lpips.safetensors", 3),
        "vgg16": (_VGG, "vgg16_features_lpips.safetensors", 2),
    }[net]
    layers: list[nn.Module] = []
    channels = 3
    for entry in plan:
        if entry == "M":
            layers.append(nn.MaxPool2d(pool, 2))
        else:
            outputs, kernel, stride, padding = entry
            layers += [nn.Conv2d(channels, outputs, kernel, stride, padding), nn.ReLU()]
            channels = outputs
    features = nn.Sequential(*layers)
    state = load_file(find_asset(name))
    own = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
    features.load_state_dict(own)
    return features


def loaded(make: Callable[[], Any]) -> Any:
    try:
        return make()
    except WeightsError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=["alex", "vgg"])
def net(request: pytest.FixtureRequest) -> tuple[str, Lpips]:
    return request.param, loaded(lambda: load_lpips(request.param))


@pytest.fixture(scope="module")
def dists() -> Dists:
    found: Dists = loaded(load_dists)
    return found


@pytest.fixture(scope="module")
def pictures() -> tuple[Tensor, Tensor]:
    """A face, and two ways of spoiling it: `[2, 3, 96, 80]` each."""
    truth = np.ascontiguousarray(load_portrait()[60:156, 150:230])
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    noisy = np.clip(truth + noise, 0, 255).astype(np.uint8)
    coarse = truth[::4, ::4].repeat(4, 0).repeat(4, 1)
    return to_tensor(truth, truth), to_tensor(noisy, coarse)


def test_lpips_agrees_with_torchmetrics(
    net: tuple[str, Lpips], pictures: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, ours = net
    module = importlib.import_module("torchmetrics.functional.image.lpips")
    monkeypatch.setattr(
        module, "_get_tv_model_features", lambda net, _pretrained: torchvision_features(net)
    )
    theirs = module._LPIPS(net=name)  # with the heads that torchmetrics carries
    with torch.inference_mode():
        found = ours(*pictures)
        expected = theirs(*pictures, normalize=True).flatten()
    assert (found > 0.05).all()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_lpips_of_equal_pictures_is_zero(
    net: tuple[str, Lpips], pictures: tuple[Tensor, Tensor]
) -> None:
    with torch.inference_mode():
        assert net[1](pictures[0], pictures[0]).abs().max() == 0
        forth, back = net[1](*pictures), net[1](*pictures[::-1])
    torch.testing.assert_close(forth, back)


def test_dists_agrees_with_torchmetrics(
    dists: Dists, pictures: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("torchmetrics.functional.image.dists")
    stand_in = SimpleNamespace(features=torchvision_features("vgg16"))
    monkeypatch.setattr(module, "_TORCHVISION_AVAILABLE", True)
    monkeypatch.setattr(module, "vgg16", lambda weights: stand_in, raising=False)
    monkeypatch.setattr(module, "VGG16_Weights", SimpleNamespace(DEFAULT=None), raising=False)
    theirs = module.DISTSNetwork()
    with torch.inference_mode():
        found, expected = dists(*pictures), theirs(*pictures)
    assert (found > 0.05).all()
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_dists_of_equal_pictures_is_zero_and_symmetric(
    dists: Dists, pictures: tuple[Tensor, Tensor]
) -> None:
    with torch.inference_mode():
        assert dists(pictures[0], pictures[0]).abs().max() < 1e-5
        forth, back = dists(*pictures), dists(*pictures[::-1])
    torch.testing.assert_close(forth, back, rtol=1e-4, atol=1e-5)


def test_dists_weights_are_one_in_all(dists: Dists) -> None:
    assert dists.alpha.shape == dists.beta.shape == (1475,)
    assert float(dists.alpha.sum() + dists.beta.sum()) == pytest.approx(1, abs=1e-4)


class Difference(nn.Module):
    """Mean absolute difference, and what sizes it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        self.sizes.append(tuple(first.shape))
        return (first - second).abs().mean((1, 2, 3))


def pair(truth: Frame, frame: Frame, **boxes: tuple[int, int, int, int]) -> Pair:
    return Pair(0, truth, frame, boxes={"whole": (0, 0, *truth.shape[1::-1]), **boxes})


def test_the_mean_over_pairs_inside_a_box() -> None:
    black = np.zeros((64, 96, 3), np.uint8)
    spoilt = black.copy()
    spoilt[10:50, 20:60] = 51
    network = Difference()
    metric = Mean(picture_distance, network, "face")
    metric.update(pair(black, spoilt, face=(20, 10, 60, 50)))
    metric.update(pair(black, black, face=(0, 0, 40, 40)))
    metric.update(pair(black, spoilt))  # no face
    assert metric.compute() == pytest.approx(0.1)
    assert network.sizes == [(1, 3, 40, 40)] * 2


def test_small_boxes_are_enlarged() -> None:
    network = Difference()
    metric = Mean(picture_distance, network)
    metric.update(pair(np.zeros((20, 31, 3), np.uint8), np.full((20, 31, 3), 255, np.uint8)))
    assert network.sizes == [(1, 3, 32, 50)]
    assert metric.compute() == pytest.approx(1)


def test_without_pairs_there_is_no_figure() -> None:
    assert np.isnan(Mean(picture_distance, Difference()).compute())


def test_files_that_are_no_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEWIRE_WEIGHTS", str(tmp_path))
    for name in ("alexnet", "vgg16"):
        (tmp_path / f"{name}_features_lpips.safetensors").write_bytes(b"junk" * 100)
    for make in (lambda: load_lpips("alex"), lambda: load_lpips("vgg"), load_dists):
        with pytest.raises(WeightsError, match="cannot be used"):
            make()
