"""The keypoint detector: FOMM's with two more inputs (AVFR-GAN section 3, equation 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Hourglass
from .config import AvfrConfig
from .geometry import grid

__all__ = ["KeypointDetector"]


class KeypointDetector(nn.Module):
    """Finds K keypoints with jacobians from RGB, the drawn mesh and the person mask.

    It learns either from keypoints computed from the mesh (`keypoint_mode="detector"`), from which
    it may later depart, or without any labels, as in the paper (`unsupervised`). Without
    `structural_prior` it sees RGB alone.
    """

    kernel: Tensor

    def __init__(self, config: AvfrConfig, temperature: float = 0.1) -> None:
        super().__init__()
        self.keypoints = config.keypoints
        self.temperature = temperature
        self.inputs = 5 if config.structural_prior else 3
        line = torch.arange(13.0) - 6
        bell = torch.exp(-(line**2) / (2 * 1.5**2))
        bell = torch.outer(bell, bell) / bell.sum() ** 2
        self.register_buffer("kernel", bell.expand(self.inputs, 1, 13, 13).clone(), False)
        self.hourglass = Hourglass(
            self.inputs, config.detector_base, config.detector_max, config.detector_levels
        )
        self.heads = nn.Conv2d(self.hourglass.outputs, 5 * config.keypoints, 7, padding=3)
        nn.init.zeros_(self.heads.weight[config.keypoints :])
        bias = self.heads.bias
        if bias is None:  # cannot happen: Conv2d has a bias by default
            raise TypeError("the keypoint head has no bias")
        with torch.no_grad():
            # Jacobians begin as the identity, as in FOMM.
            bias[config.keypoints :] = torch.tensor([1.0, 0.0, 0.0, 1.0]).repeat(config.keypoints)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`[B, 5 or 3, 256, 256]` on [0, 1] → value `[B, K, 2]`, jacobian `[B, K, 2, 2]`."""
        x = F.conv2d(F.pad(x, (6, 6, 6, 6)), self.kernel, groups=self.inputs)[..., ::4, ::4]
        batch, _, side, _ = x.shape
        maps = self.heads(self.hourglass(x)).float()
        logits = maps[:, : self.keypoints].flatten(2) / self.temperature
        weight = torch.softmax(logits, -1)  # [B, K, H W]
        value = weight @ grid(side, weight).reshape(-1, 2)
        slopes = maps[:, self.keypoints :].reshape(batch, self.keypoints, 4, -1)
        jacobian = (slopes * weight[:, :, None]).sum(-1).reshape(batch, self.keypoints, 2, 2)
        return value, jacobian
