"""The reenactor's losses: L1, L1 under the face's mask, and an adversarial one (equation 6)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

__all__ = ["ReenactorLosses", "picture_l1", "reenactor_losses"]


@dataclass(frozen=True)
class ReenactorLosses:
    """Weights of the losses; the defaults are the paper's.

    Attributes:
        l1: of the mean absolute error of the picture.
        mask: of the mean absolute error under the mask.
        adversarial: of the discriminator's verdict; 0 trains without one.
    """

    l1: float = 100.0
    mask: float = 100.0
    adversarial: float = 1.0


def picture_l1(made: Tensor, true: Tensor) -> Tensor:
    """Mean absolute error of pictures on [0, 1], in the unit of the papers: [-1, 1]."""
    return 2 * (made - true).abs().mean()


def reenactor_losses(
    made: Tensor, true: Tensor, mask: Tensor, weights: ReenactorLosses
) -> dict[str, Tensor]:
    """The weighted terms of equation 6 without the adversarial one, to be added.

    Args:
        made: pictures `[B, 3, S, S]` on [0, 1].
        true: likewise.
        mask: `[B, 1, S, S]`, 1 on the face (`mask.face_mask`). Its loss is a mean over the face,
            not over the picture.
        weights: see there.
    """
    covered = (mask.sum() * made.shape[1]).clamp(min=1)
    masked = 2 * ((made - true).abs() * mask).sum() / covered
    return {"l1": weights.l1 * picture_l1(made, true), "mask": weights.mask * masked}
