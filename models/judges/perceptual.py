"""LPIPS and DISTS: distances of pictures by pretrained features."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Literal

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ...codec.errors import WeightsError
from ..avfr.perceptual import Lpips
from ..third_party import find_asset

__all__ = ["Dists", "load_dists", "load_lpips"]

_CHANNELS = (3, 64, 128, 256, 512, 512)
# VGG16's layers up to each of the five taps; every stage but the first begins with a pooling.
_STAGES = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))


class Dists(nn.Module):
    """Deep image structure and texture similarity; lower is better.

    Ding, Ma, Wang and Simoncelli 2020, arXiv 2004.07728: one minus the weighted sum of texture
    (means) and structure (covariances) similarities over the picture and five feature maps of
    VGG16, whose max pooling is replaced by an L2 pooling with a Hanning window. The weights are
    the authors', as torchmetrics carries them; its own network wants torchvision. Pictures keep
    their size; the authors scale the shorter side to 256, which it is here by default.

    Raises:
        WeightsError: VGG16 is not here.
    """

    alpha: Tensor
    beta: Tensor
    mean: Tensor
    std: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        state = load_file(find_asset("vgg16_features_lpips.safetensors"))
        self.convs = nn.ModuleDict()
        for layer in (layer for stage in _STAGES for layer in stage):
            weight = state[f"features.{layer}.weight"].float()
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            conv.weight = nn.Parameter(weight)
            conv.bias = nn.Parameter(state[f"features.{layer}.bias"].float())
            self.convs[str(layer)] = conv
        learned = _learned_weights()
        total = learned["alpha"].sum() + learned["beta"].sum()
        self.register_buffer("alpha", (learned["alpha"] / total).flatten())
        self.register_buffer("beta", (learned["beta"] / total).flatten())
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        line = torch.tensor([0.5, 1.0, 0.5])  # a Hanning window of five without its zeros
        window = line[:, None] * line[None]
        self.register_buffer("window", (window / window.sum())[None, None])
        self.requires_grad_(False)

    def _pool(self, x: Tensor) -> Tensor:
        window = self.window.expand(x.shape[1], 1, 3, 3)
        return (F.conv2d(x**2, window, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()

    def features(self, picture: Tensor) -> list[Tensor]:
        """The picture itself and five feature maps of `[B, 3, H, W]` on [0, 1]."""
        taps, x = [picture], (picture - self.mean) / self.std
        for number, stage in enumerate(_STAGES):
            if number:
                x = self._pool(x)
            for layer in stage:
                x = F.relu(self.convs[str(layer)](x))
            taps.append(x)
        return taps

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distance of each pair: `[B, 3, H, W]` on [0, 1], twice → `[B]`."""
        alphas, betas = _by_stage(self.alpha), _by_stage(self.beta)
        score = first.new_zeros(first.shape[0])
        maps = zip(self.features(first), self.features(second), alphas, betas, strict=True)
        for x, y, alpha, beta in maps:
            mx, my = x.mean((2, 3)), y.mean((2, 3))
            vx, vy = x.var((2, 3), correction=0), y.var((2, 3), correction=0)
            both = (x * y).mean((2, 3)) - mx * my
            texture = (2 * mx * my + 1e-6) / (mx**2 + my**2 + 1e-6)
            structure = (2 * both + 1e-6) / (vx + vy + 1e-6)
            score = score + (alpha * texture + beta * structure).sum(1)
        return 1 - score


def load_lpips(net: Literal["alex", "vgg"]) -> Lpips:
    """LPIPS, ready to use.

    Raises:
        WeightsError: the network is not here, or the file is not one.
    """
    with _checked(f"LPIPS of {net}"):
        return Lpips(net).eval()


def load_dists() -> Dists:
    """DISTS, ready to use.

    Raises:
        WeightsError: the network is not here, or the file is not one.
    """
    with _checked("DISTS"):
        return Dists().eval()


@contextlib.contextmanager
def _checked(what: str) -> Iterator[None]:
    """A file that holds something else is a matter of weights."""
    try:
        yield
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise WeightsError(f"the network file of {what} cannot be used: {error}") from error


def _by_stage(weights: Tensor) -> list[Tensor]:
    ends = itertools.accumulate(_CHANNELS)
    return [weights[end - size : end] for end, size in zip(ends, _CHANNELS, strict=True)]


def _learned_weights() -> dict[str, Any]:
    path = files("torchmetrics") / "functional" / "image" / "dists_models" / "weights.pt"
    with path.open("rb") as file:
        weights: dict[str, Any] = torch.load(file, weights_only=True, map_location="cpu")
    return weights
