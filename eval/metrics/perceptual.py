"""Perceptual distances by pretrained features: LPIPS and DISTS."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ...models.judges.tensors import to_tensor
from .base import Pair

__all__ = ["picture_distance"]

_SMALLEST = 32  # pixels: below, the deepest features have no room


@torch.inference_mode()
def picture_distance(pair: Pair, network: nn.Module, box: str = "whole") -> float:
    """A network's distance between the true and the decoded picture; lower is better.

    LPIPS: Zhang et al. 2018, arXiv 1801.03924, version 0.1, AlexNet or VGG16
    (`models.avfr.perceptual.Lpips`). DISTS:
    `models.judges.perceptual.Dists`. A function of one pair, for `base.Mean`.

    Args:
        pair: a true and a decoded frame.
        network: takes `[B, 3, H, W]` on [0, 1] twice, gives `[B]`.
        box: one of `base.BOXES`, NaN where the pair has none; a box below 32 pixels is enlarged
            to 32 (bilinear).
    """
    if (cut := pair.cut(box)) is None:
        return float("nan")
    truth, frame = (to_tensor(picture) for picture in cut)
    height, width = truth.shape[-2:]
    if (scale := _SMALLEST / min(height, width)) > 1:
        size = (round(height * scale), round(width * scale))
        truth, frame = (F.interpolate(x, size, mode="bilinear") for x in (truth, frame))
    return float(network(frame, truth))
