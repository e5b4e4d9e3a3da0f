"""The losses that the fusion network is trained with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..avfr.perceptual import Lpips
from .batches import Batch
from .network import Fusion

__all__ = ["FusionLosses", "FusionObjective"]


@dataclass(frozen=True)
class FusionLosses:
    """Weights of the losses.

    Attributes:
        pixels: weight of the mean absolute difference.
        perceptual: weight of LPIPS with AlexNet.
        flicker: weight of the mean absolute error of the change from one frame to the next.
    """

    pixels: float = 3.0
    perceptual: float = 1.0
    flicker: float = 4.0


class FusionObjective(nn.Module):
    """The losses of a batch."""

    def __init__(self, weights: FusionLosses) -> None:
        super().__init__()
        self.weights = weights
        self.lpips = Lpips("alex")

    def forward(self, network: Fusion, batch: Batch) -> dict[str, Tensor]:
        """The weighted losses by their names, to be added up."""
        made = fused(network, batch)
        error = made - batch.target
        change = error[1::2] - error[::2]
        return {
            "pixels": self.weights.pixels * error.abs().mean(),
            "perceptual": self.weights.perceptual * self.lpips(made, batch.target).mean(),
            "flicker": self.weights.flicker * change.abs().mean(),
        }


def fused(network: Fusion, batch: Batch) -> Tensor:
    """The pictures that the network makes of a batch of crops."""
    drawn, quarter = network.draw(batch.points), batch.made.shape[-1] // 4
    lines = [
        picture[:, y // 4 : y // 4 + quarter, x // 4 : x // 4 + quarter]
        for picture, (x, y) in zip(drawn, batch.corner.tolist(), strict=True)
    ]
    result: Tensor = network(batch.made, batch.base, torch.stack(lines), batch.age)
    return result
