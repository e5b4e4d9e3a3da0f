"""Pictures as the networks take them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Frame", "to_tensor"]

Frame = npt.NDArray[np.uint8]


def to_tensor(*frames: Frame) -> Tensor:
    """uint8 `[H, W, 3]` each → float32 `[N, 3, H, W]` on [0, 1]."""
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255
