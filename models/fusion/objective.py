"""The losses that the fusion network is trained with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..avfr.perceptual import Lpips
from .batches import Batch
from .network import Fusion

__all__ = ["FusionLosses", "FusionObjective", "grain"]


@dataclass(frozen=True)
class FusionLosses:
    """Weights of the losses.

    Attributes:
        pixels: weight of the mean absolute difference.
        perceptual: weight of LPIPS with AlexNet.
        flicker: weight of the mean absolute error of the change from one frame to the next.
        vgg: weight of LPIPS with VGG.
        texture: weight of the mean absolute error of `grain`, against pictures that are too smooth.
    """

    pixels: float = 3.0
    perceptual: float = 1.0
    flicker: float = 4.0
    vgg: float = 0.0
    texture: float = 0.0


class FusionObjective(nn.Module):
    """The losses of a batch."""

    def __init__(self, weights: FusionLosses) -> None:
        super().__init__()
        self.weights = weights
        self.lpips = Lpips("alex")
        self.vgg = Lpips("vgg") if weights.vgg > 0 else None

    def forward(self, network: Fusion, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses by their names, to be added up."""
        made = fused(network, batch)
        error = made - batch.target
        change = error[1::2] - error[::2]
        terms = {
            "pixels": self.weights.pixels * error.abs().mean(),
            "perceptual": self.weights.perceptual * self.lpips(made, batch.target).mean(),
            "flicker": self.weights.flicker * change.abs().mean(),
        }
        if self.vgg is not None:
            terms["vgg"] = self.weights.vgg * self.vgg(made, batch.target).mean()
        if self.weights.texture > 0:
            missing = grain(made) - grain(batch.target)
            terms["texture"] = self.weights.texture * missing.abs().mean()
        return terms


def grain(pictures: Tensor) -> Tensor:
    """How much fine texture there is in each place, whatever its phase: the deviation of the finest
    details of brightness in squares of 12 pixels that overlap by a half.

    Args:
        pictures: `[B, 3, H, W]` on [0, 1], of at least 12 pixels.

    Returns:
        `[B, 1, h, w]`, from about 0.004 where nothing is.
    """
    grey = pictures.mean(1, keepdim=True)
    fine = grey - F.avg_pool2d(F.pad(grey, (1, 1, 1, 1), mode="reflect"), 3, 1)
    return (F.avg_pool2d(fine**2, 12, 6) + 1.5e-5).sqrt()


def fused(network: Fusion, batch: Batch) -> Tensor:
    """The pictures that the network makes of a batch of crops."""
    drawn, quarter = network.draw(batch.points), batch.made.shape[-1] // 4
    lines = [
        picture[:, y // 4 : y // 4 + quarter, x // 4 : x // 4 + quarter]
        for picture, (x, y) in zip(drawn, batch.corner.tolist(), strict=True)
    ]
    result: Tensor = network(batch.made, batch.base, torch.stack(lines), batch.age)
    return result
