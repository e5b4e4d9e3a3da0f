"""Distances between distributions of pictures: FID and KID, over all clips together.

Both are computed from Inception features alone, so that pictures pass through the network once
and clips need not be in memory together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from ...codec.errors import WeightsError
from ...models.third_party import find_asset
from .base import Frame
from .fidelity import to_tensor

__all__ = ["FEATURES", "FrechetDistance", "Inception", "kid"]

FEATURES = 2048
"""Length of a picture's feature vector."""
_SIDE = 299
Features = npt.NDArray[np.float32]


class Inception:
    """Pool features of the FID Inception (2015-12-05; Heusel et al. 2017, arXiv 1706.08500).

    Pictures are enlarged to 299x299 by `RESIZE`. Of the resizes in use (TensorFlow 1's, torch's,
    Pillow's) the choice decides FID's second digit; all codecs share this one.

    Raises:
        WeightsError: the network is not here, or is not one.
    """

    RESIZE = "torch bilinear to 299x299, align_corners=False, antialias=False"

    def __init__(self) -> None:
        path = find_asset("fid_inception.pt")
        load: Any = torch.jit.load
        try:
            self._network = load(str(path), map_location="cpu").eval()
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            raise WeightsError(f"{path} is not the TorchScript Inception: {reason}") from error

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> Features:
        """Features of some frames of one size, uint8 `[H, W, 3]` → float32 `[N, 2048]`."""
        x = to_tensor(*frames) * 255
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        found = self._network((x - 128) / 128)
        return np.asarray(found.reshape(len(frames), -1).numpy(), np.float32)


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
