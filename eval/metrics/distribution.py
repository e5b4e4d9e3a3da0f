"""Distances between distributions of pictures: FID and KID, over all clips together.

Both are computed from Inception features alone, so that pictures pass through the network once
and clips need not be in memory together.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from ...models.judges.inception import FEATURES, Features

__all__ = ["FrechetDistance", "kid"]


class _AsGiven(nn.Module):
    """torchmetrics takes an extractor of features; they are extracted already."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, features: Tensor) -> Tensor:
        return features


class FrechetDistance:
    """Fréchet Inception distance (Heusel et al. 2017, equation 6); lower is better.

    torchmetrics' means and covariances in float64, which do not grow with the number of frames.
    Of few frames FID is biased upward, and the more so the richer the features (Chong and Forsyth
    2020, arXiv 1911.07023): compare only figures of the same `count`. Below 2048 frames the
    covariances are singular; the distance is still defined. `kid` has no such bias.

    Args:
        size: length of a feature vector.

    Attributes:
        count: number of decoded frames so far.
    """

    def __init__(self, size: int = FEATURES) -> None:
        self.count, self._true_count = 0, 0
        self._distance = FrechetInceptionDistance(feature=_AsGiven(size)).set_dtype(torch.float64)

    def update(self, truth: Features, decoded: Features) -> None:
        """Take features of true and of decoded frames, `[n, size]` and `[m, size]`."""
        self.count += len(decoded)
        self._true_count += len(truth)
        for features, real in ((truth, True), (decoded, False)):
            if len(features):
                self._distance.update(torch.from_numpy(features).double(), real=real)

    def compute(self) -> float:
        """The distance; NaN with fewer than two frames on either side."""
        if min(self.count, self._true_count) < 2:
            return float("nan")
        return float(self._distance.compute())


def kid(
    truth: Features, decoded: Features, *, subsets: int = 50, size: int = 500, seed: int = 0
) -> float:
    """Kernel Inception distance (Bińkowski et al. 2018, arXiv 1801.01401); lower is better.

    Unbiased squared MMD with the kernel `(x·y / d + 1)³` by torchmetrics, the mean over random
    subsets; unlike FID it has no bias of few frames, and may be a little below zero.

    Args:
        truth: features `[n, d]` of true frames.
        decoded: likewise `[m, d]`.
        subsets: number of subsets; one where they hold all frames.
        size: frames of a subset, at most those there are.
        seed: of the choice.

    Returns:
        The distance; NaN with fewer than two frames on either side.
    """
    size = min(size, len(truth), len(decoded))
    if size < 2:
        return float("nan")
    if size == len(truth) == len(decoded):
        subsets = 1
    rng = np.random.default_rng(seed)
    total = 0.0
    for _ in range(subsets):
        x, y = (
            torch.from_numpy(side[rng.choice(len(side), size, replace=False)]).double()
            for side in (truth, decoded)
        )
        total += float(poly_mmd(x, y))
    return total / subsets
