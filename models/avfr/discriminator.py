"""Discriminator of the GAN loss: patches at several scales, with spectral normalisation."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["Discriminator"]


class _Patch(nn.Module):
    def __init__(self, inputs: int, base: int, levels: int) -> None:
        super().__init__()
        width = [inputs] + [min(512, base * 2**i) for i in range(levels)]
        self.convs = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(width)
        )
        self.head = spectral_norm(nn.Conv2d(width[-1], 1, 3, padding=1))

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = []
        for layer in self.convs:
            x = F.leaky_relu(layer(x), 0.2)
            features.append(x)
        return self.head(x), features


class Discriminator(nn.Module):
    """Scores how real pictures look, at several scales, given a landmark drawing or nothing."""

    def __init__(
        self, condition: int = 0, *, base: int = 32, levels: int = 4, scales: int = 2
    ) -> None:
        super().__init__()
        self.patches = nn.ModuleList(_Patch(3 + condition, base, levels) for _ in range(scales))

    def forward(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """`[B, 3 + condition, H, W]` → scores `[B, 1, h, w]` of each scale, and all features."""
        scores, features = [], []
        for scale, patch in enumerate(self.patches):
            score, maps = patch(F.avg_pool2d(x, 2**scale) if scale else x)
            scores.append(score)
            features += maps
        return scores, features
