"""Fidelity to the true pixels: PSNR, SSIM, MS-SSIM, on any of the boxes.

They are functions of one pair, for `base.Mean`. Boxes are at least 32 pixels wide and high
(`measure`), so that SSIM's window of 11 fits in each.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure
from torchmetrics.functional.image import structural_similarity_index_measure as similarity

from ...models.judges.tensors import to_tensor
from .base import Pair

__all__ = ["ms_ssim", "psnr", "ssim"]

_CEILING_DB = 60.0
_MS_SSIM_SIDE = 176  # four halvings, then a window of 11
_WINDOW = 11


def psnr(pair: Pair, box: str = "whole") -> float:
    """Peak signal-to-noise ratio in dB, `10 log10(255² / MSE)` (ITU-T J.340); higher is better.

    MSE over the pixels and the three channels of a frame, PSNR of each frame, then the mean. A
    frame counts for at most 60 dB, so that one exact frame does not make the mean infinite.

    Args:
        pair: a true and a decoded frame.
        box: one of `base.BOXES`; NaN where the pair has none.
    """
    if (cut := pair.cut(box)) is None:
        return float("nan")
    truth, frame = (picture.astype(np.float64) for picture in cut)
    error = float(((truth - frame) ** 2).mean())
    return min(_CEILING_DB, 10 * math.log10(255**2 / max(error, 1e-12)))


def ssim(pair: Pair, box: str = "whole") -> float:
    """Structural similarity, at most 1; higher is better.

    Wang, Bovik, Sheikh and Simoncelli, IEEE Trans. Image Processing 13(4), 2004: Gaussian window
    of 11 pixels, sigma 1.5, K1 0.01, K2 0.03. Of each RGB channel on [0, 1], then the mean, by
    torchmetrics, which mirrors the picture where the window leaves it.

    Args:
        pair: a true and a decoded frame.
        box: one of `base.BOXES`; NaN where the pair has none, or it is smaller than the window.
    """
    cut = pair.cut(box)
    if cut is None or min(cut[0].shape[:2]) < _WINDOW:
        return float("nan")
    truth, frame = (to_tensor(picture) for picture in cut)
    return float(torch.as_tensor(similarity(frame, truth, data_range=1.0)))


def ms_ssim(pair: Pair) -> float:
    """Multi-scale SSIM of the whole frames, at most 1; higher is better.

    Wang, Simoncelli and Bovik, Asilomar Conference 2003: five scales with the paper's exponents,
    window and constants as in `ssim`, by torchmetrics. A picture below 176 pixels is smaller than
    the window in the coarsest scale and gives NaN.
    """
    if min(pair.truth.shape[:2]) < _MS_SSIM_SIDE:
        return float("nan")
    truth, frame = to_tensor(pair.truth), to_tensor(pair.frame)
    return float(multiscale_structural_similarity_index_measure(frame, truth, data_range=1.0))
