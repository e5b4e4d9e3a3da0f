"""The losses of `MouthNet`: the error of the components, and how well they move together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .mouth import MouthNet
from .mouth_batches import MouthBatch

__all__ = ["MouthLosses", "correlation", "mouth_losses"]

_STILL = 1e-3  # variance that keeps the correlation of still mouths finite


@dataclass(frozen=True)
class MouthLosses:
    """Weights of the losses.

    Attributes:
        error: of the Huber loss of the components.
        correlation: of 1 less the correlation over each stretch.
        opening: how much the opening of the mouth counts in both, beside the components.
    """

    error: float = 1.0
    correlation: float = 1.0
    opening: float = 1.0


def mouth_losses(
    network: MouthNet, batch: MouthBatch, share: Tensor, weights: MouthLosses
) -> dict[str, Tensor]:
    """The weighted terms of all look-aheads, to be added.

    Args:
        network: the network.
        batch: the batch.
        share: `[K]`, weights of the components (`MouthTables.share`).
        weights: see there.
    """
    frames = batch.components.shape[1]
    made = _with_opening(network, network(batch.sound, frames))
    wanted = _with_opening(network, batch.components)[:, None].expand_as(made)
    known = batch.known[:, None, :, None].expand_as(made)
    weight = torch.cat([share, share.new_tensor([weights.opening])])
    weight = weight / weight.sum()
    error = (F.smooth_l1_loss(made, wanted, reduction="none") * known).sum((0, 1, 2)) @ weight
    found, moves = correlation(made, wanted, known)
    counts = moves.clamp(max=1) * weight
    unlike = ((1 - found) * counts).sum() / counts.sum().clamp(min=1e-6)
    return {
        "error": weights.error * error / known[..., 0].sum(),
        "correlation": weights.correlation * unlike,
    }


def correlation(made: Tensor, wanted: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation along the frames, the last but one axis, and the variance of what is wanted."""
    count = known.sum(-2, keepdim=True).clamp(min=1)
    made = (made - (made * known).sum(-2, keepdim=True) / count) * known
    wanted = (wanted - (wanted * known).sum(-2, keepdim=True) / count) * known
    count = count.squeeze(-2)
    moves = (wanted * wanted).sum(-2) / count
    both = (made * wanted).sum(-2) / count
    size = torch.sqrt(((made * made).sum(-2) / count + _STILL) * (moves + _STILL))
    return both / size, moves


def _with_opening(network: MouthNet, components: Tensor) -> Tensor:
    """Components and, as one more, the opening in its usual spreads."""
    unit = network.opening(torch.eye(components.shape[-1], device=components.device))
    opening = network.opening(components) / unit.norm().clamp(min=1e-6)
    return torch.cat([components, opening[..., None]], -1)
