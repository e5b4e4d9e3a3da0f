"""The losses: geometry, content and an adversarial one (equations 5 to 8)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..apb2face.reenactor_objective import picture_l1

__all__ = ["ReenactorV2Losses", "content_losses"]


@dataclass(frozen=True)
class ReenactorV2Losses:
    """Weights of the losses; the defaults are the paper's.

    Attributes:
        geometry: of the mean absolute error of the landmarks.
        content: of the mean absolute error of the picture.
        adversarial: of the discriminator's verdict; 0 trains without one.
    """

    geometry: float = 1.0
    content: float = 100.0
    adversarial: float = 1.0


def content_losses(
    made: Tensor,
    true: Tensor,
    landmarks: Tensor,
    true_landmarks: Tensor,
    weights: ReenactorV2Losses,
) -> dict[str, Tensor]:
    """The weighted terms of equation 5 without the adversarial one, to be added.

    Args:
        made: pictures `[B, 3, S, S]` on [0, 1].
        true: likewise.
        landmarks: of the Fuser, `[B, 106, 2]` on [-1, 1].
        true_landmarks: likewise.
        weights: see there.
    """
    return {
        "geometry": weights.geometry * (landmarks - true_landmarks).abs().mean(),
        "content": weights.content * picture_l1(made, true),
    }
