"""Pretrained features for the perceptual loss (AVFR-GAN equation 4): VGG16 or AlexNet.

The weights are third-party files that `models.third_party` finds. One safetensors file holds the
layers under torchvision's names and the LPIPS heads `lin0` to `lin4` (arXiv 1801.03924).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from ..third_party import find_asset

__all__ = ["Lpips"]

Net = Literal["alex", "vgg"]
_FILES = {
    "alex": "alexnet_features_lpips.safetensors",
    "vgg": "vgg16_features_lpips.safetensors",
}
# (layer, kernel, stride, padding); "M" pools, "T" taps a feature map
_ALEX = ((0, 4, 2), "T", "M", (3, 1, 2), "T", "M", (6, 1, 1), "T", (8, 1, 1), "T", (10, 1, 1), "T")
_VGG = (
    ((0, 1, 1), (2, 1, 1), "T", "M", (5, 1, 1), (7, 1, 1), "T", "M")
    + ((10, 1, 1), (12, 1, 1), (14, 1, 1), "T", "M", (17, 1, 1), (19, 1, 1), (21, 1, 1), "T")
    + ("M", (24, 1, 1), (26, 1, 1), (28, 1, 1), "T")
)


class Lpips(nn.Module):
    """Learned perceptual distance (LPIPS v0.1), as a loss and as a metric; lower is better.

    Args:
        net: `alex` or `vgg`.
        taps: how many of the five feature maps are used; fewer make a loss cheaper.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, net: Net = "alex", taps: int = 5) -> None:
        super().__init__()
        state = load_file(find_asset(_FILES[net]))
        self.plan = _ALEX if net == "alex" else _VGG
        self.taps = taps
        self.pool = 3 if net == "alex" else 2
        self.convs = nn.ModuleDict()
        for entry in self.plan:
            if isinstance(entry, tuple):
                layer, stride, padding = entry
                weight = state[f"features.{layer}.weight"].float()
                outputs, inputs, kernel, _ = weight.shape
                module = nn.Conv2d(inputs, outputs, kernel, stride, padding)
                module.weight.data, module.bias.data = (  # type: ignore[union-attr]
                    weight,
                    state[f"features.{layer}.bias"].float(),
                )
                self.convs[str(layer)] = module
        heads = [state[k].float().reshape(1, -1, 1, 1) for k in _head_names(state)]
        self.heads = nn.ParameterList(nn.Parameter(h) for h in heads)
        self.register_buffer("mean", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def features(self, x: Tensor) -> list[Tensor]:
        """Unit-length feature maps of `[B, 3, H, W]` on [0, 1]."""
        x = (x * 2 - 1 - self.mean) / self.std
        taps: list[Tensor] = []
        for entry in self.plan:
            if isinstance(entry, tuple):
                x = F.relu(self.convs[str(entry[0])](x))
            elif entry == "M":
                x = F.max_pool2d(x, self.pool, 2)
            else:
                taps.append(F.normalize(x.float(), dim=1, eps=1e-10))
                if len(taps) == self.taps:
                    break
        return taps

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distance of each pair of pictures, both `[B, 3, H, W]` on [0, 1] → `[B]`."""
        with torch.no_grad():
            targets = self.features(second)
        total = first.new_zeros(first.shape[0], dtype=torch.float32)
        for x, y, head in zip(self.features(first), targets, self.heads, strict=False):
            total = total + ((x - y) ** 2 * head).sum(1).mean((1, 2))
        return total


def _head_names(state: dict[str, Tensor]) -> list[str]:
    return sorted(name for name in state if name.startswith("lin"))
