"""The predictor's losses: L1 and an adversarial one (equations 1, 2 and 4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .network import LandmarkDiscriminator

__all__ = [
    "PIXELS",
    "GeometryLosses",
    "discriminator_loss",
    "landmark_error_px",
    "predictor_losses",
]

PIXELS = 128.0
"""Of a picture of 256x256, for each unit of [-1, 1]."""


@dataclass(frozen=True)
class GeometryLosses:
    """Weights of the losses; the defaults are the paper's.

    Attributes:
        l1: of the mean absolute error of the landmarks.
        adversarial: of the discriminator's verdict; 0 trains without one.
    """

    l1: float = 100.0
    adversarial: float = 0.1


def predictor_losses(
    predicted: Tensor,
    true: Tensor,
    weights: GeometryLosses,
    discriminator: LandmarkDiscriminator | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of equation 4, to be added.

    Args:
        predicted: `[B, 106, 2]` on [-1, 1].
        true: likewise.
        weights: see there.
        discriminator: not needed where its weight is 0.
    """
    terms = {"l1": weights.l1 * (predicted - true).abs().mean()}
    if discriminator is not None and weights.adversarial > 0:
        fooled = F.softplus(-discriminator(predicted)).mean()
        terms["adversarial"] = weights.adversarial * fooled
    return terms


def discriminator_loss(
    discriminator: LandmarkDiscriminator, predicted: Tensor, true: Tensor
) -> Tensor:
    """Cross-entropy of telling true landmarks from predicted ones (equation 2)."""
    real, made = discriminator(true), discriminator(predicted.detach())
    return F.softplus(-real).mean() + F.softplus(made).mean()


def landmark_error_px(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean distance of landmarks `[..., 2]` in pixels of a picture of 256x256, as one number."""
    distance: Tensor = torch.linalg.vector_norm(predicted - true, dim=-1)
    return distance.mean() * PIXELS
