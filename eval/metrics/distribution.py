"""Distances between distributions of pictures: FID and KID, over all clips together.

Both are computed from Inception features alone, so that pictures pass through the network once
and clips need not be in memory together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torchmetrics.image.kid import poly_mmd

from ...models.judges.inception import FEATURES, Features

__all__ = ["FrechetDistance", "kid"]

Floats = npt.NDArray[np.float64]


class FrechetDistance:
    """Fréchet Inception distance (Heusel et al. 2017, equation 6); lower is better.

    In float64. Of each side the triangular factor R of `[1 x] = Q R` is kept, which does not grow
    with the number of frames: its first row gives the mean, and the rest, A, the covariance AᵀA.
    The trace of (AᵀA BᵀB)^½ is the sum of the singular values of A Bᵀ. That is exact where
    covariances are singular too, as they are below 2048 frames, and takes little time there.
    Of few frames FID is biased upward, and the more so the richer the features (Chong and Forsyth
    2020, arXiv 1911.07023): compare only figures of the same `count`. `kid` has no such bias.

    Args:
        size: length of a feature vector.

    Attributes:
        count: number of decoded frames so far.
    """

    def __init__(self, size: int = FEATURES) -> None:
        self.count = 0
        self._most = 2 * size  # rows that are kept before they are reduced
        self._sides = [np.zeros((0, size + 1)), np.zeros((0, size + 1))]

    def update(self, truth: Features, decoded: Features) -> None:
        """Take features of true and of decoded frames, `[n, size]` and `[m, size]`."""
        self.count += len(decoded)
        for index, features in enumerate((truth, decoded)):
            rows = np.vstack([self._sides[index], np.insert(features, 0, 1, axis=1)])
            few = len(rows) <= self._most
            self._sides[index] = rows if few else _triangular(rows)

    def compute(self) -> float:
        """The distance; NaN with fewer than two frames on either side."""
        if min(map(len, self._sides)) < 2:
            return float("nan")
        (a, mean_a), (b, mean_b) = map(_root_and_mean, self._sides)
        both = np.linalg.norm(a @ b.T, "nuc")
        return float(((mean_a - mean_b) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * both)


def _root_and_mean(rows: Floats) -> tuple[Floats, Floats]:
    """A of a covariance AᵀA, and the mean."""
    factor = _triangular(rows)
    first = factor[0, 0]  # of size √n
    return factor[1:, 1:] / np.sqrt(first**2 - 1), factor[0, 1:] / first


def _triangular(rows: Floats) -> Floats:
    """R of rows = QR, so that RᵀR is the same as rowsᵀ rows."""
    return np.asarray(np.linalg.qr(rows, mode="r"), np.float64)


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
