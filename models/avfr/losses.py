"""Losses of AVFR-GAN (equation 4), with more weight on mouth and eyes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ..face.mesh import LEFT_EYE, MOUTH, POINTS, RIGHT_EYE
from .geometry import coordinates

__all__ = [
    "RandomSpline",
    "discriminator_loss",
    "equivariance_loss",
    "feature_matching_loss",
    "generator_adversarial_loss",
    "region_weights",
    "weighted_l1",
]

_AT = {index: position for position, index in enumerate(POINTS)}
_MOUTH = [_AT[i] for i in MOUTH]
_EYES = [_AT[i] for i in (*RIGHT_EYE, *LEFT_EYE)]


_FACE, _MOUTH_MORE, _EYES_MORE, _IRISES_MORE = 2.0, 8.0, 12.0, 12.0


def region_weights(points: Tensor, side: int, strength: float = 1.0) -> Tensor:
    """Weight of each pixel: larger in the face, largest at mouth and eyes, 1 in the mean.

    Args:
        points: true driving landmarks `[B, P, 2]`, or `[B, P + 2, 2]` with irises.
        side: side of the picture.
        strength: how much the weights differ; 0 gives all pixels the same weight.

    Returns:
        `[B, 1, side, side]`.
    """
    small = max(side // 4, 16)
    line = coordinates(small, points)

    def splat(chosen: Tensor, sigma: float) -> Tensor:
        bells = torch.exp(-((line - chosen[..., None]) ** 2) / (2 * sigma**2))
        return (bells[:, :, 1].transpose(1, 2) @ bells[:, :, 0]).clamp(max=1)[:, None]

    weight = 1 + strength * _FACE * splat(points, 0.08)
    weight = weight + strength * _MOUTH_MORE * splat(points[:, _MOUTH], 0.03)
    weight = weight + strength * _EYES_MORE * splat(points[:, _EYES], 0.03)
    if points.shape[1] > len(POINTS):
        weight = weight + strength * _IRISES_MORE * splat(points[:, len(POINTS) :], 0.03)
    weight = weight / weight.mean((1, 2, 3), keepdim=True)
    return F.interpolate(weight, size=(side, side), mode="bilinear", align_corners=False)


def weighted_l1(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean absolute difference of pictures, plus half that of their gradients."""
    error = ((image - target).abs() * weight).mean()
    dx = (image[..., 1:] - image[..., :-1]) - (target[..., 1:] - target[..., :-1])
    dy = (image[..., 1:, :] - image[..., :-1, :]) - (target[..., 1:, :] - target[..., :-1, :])
    edges = (dx.abs() * weight[..., 1:]).mean() + (dy.abs() * weight[..., 1:, :]).mean()
    return error + 0.5 * edges


def generator_adversarial_loss(scores: list[Tensor]) -> Tensor:
    """Hinge loss of the generator: the negative mean of the scores of its pictures."""
    return torch.stack([-score.mean() for score in scores]).mean()


def discriminator_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """Hinge loss of the discriminator, the mean over its scales."""
    terms = [F.relu(1 - r).mean() + F.relu(1 + f).mean() for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


def feature_matching_loss(real: list[Tensor], fake: list[Tensor]) -> Tensor:
    """L1 between the discriminator's features of real and generated pictures."""
    terms = [F.l1_loss(f, r.detach()) for r, f in zip(real, fake, strict=True)]
    return torch.stack(terms).mean()


class RandomSpline:
    """Random thin-plate spline for the equivariance loss (FOMM section 3.1, supplementary A).

    Args:
        batch: number of independent warps.
        like: tensor whose device and dtype are used.
        sigma_affine, sigma_tps: strengths of the affine and of the curved part.
        control: control points along each side.
        generator: source of randomness.
    """

    def __init__(
        self,
        batch: int,
        like: Tensor,
        *,
        sigma_affine: float = 0.05,
        sigma_tps: float = 0.005,
        control: int = 5,
        generator: torch.Generator | None = None,
    ) -> None:
        def noise(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(like)

        self.theta = torch.eye(2, 3).to(like) + sigma_affine * noise(batch, 2, 3)
        line = torch.linspace(-1, 1, control).to(like)
        self.centres = torch.cartesian_prod(line, line)
        self.strength = sigma_tps * noise(batch, control**2)

    def points(self, x: Tensor) -> Tensor:
        """Warp coordinates, `[B, N, 2]` → `[B, N, 2]`."""
        linear = x @ self.theta[:, :, :2].transpose(1, 2) + self.theta[:, None, :, 2]
        distance = (x[:, :, None] - self.centres).abs().sum(-1)
        bend = (distance**2 * torch.log(distance + 1e-6) * self.strength[:, None]).sum(-1)
        return linear + bend[..., None]

    def picture(self, x: Tensor) -> Tensor:
        """Warp pictures, `[B, C, H, W]`: pixel z of the result shows `x` at `points(z)`."""
        side = x.shape[-1]
        line = coordinates(side, self.theta)
        z = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).reshape(1, -1, 2)
        flow = self.points(z.expand(x.shape[0], -1, -1)).reshape(-1, side, side, 2)
        return F.grid_sample(x, flow.to(x.dtype), padding_mode="reflection", align_corners=False)

    def jacobian(self, x: Tensor) -> Tensor:
        """Derivative of `points` at `x`, `[B, N, 2]` → `[B, N, 2, 2]`."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(True) if not x.requires_grad else x
            y = self.points(x)
            rows = [torch.autograd.grad(y[..., i].sum(), x, create_graph=True)[0] for i in range(2)]
        return torch.stack(rows, -2)


def equivariance_loss(
    value: Tensor,
    jacobian: Tensor,
    warped_value: Tensor,
    warped_jacobian: Tensor,
    spline: RandomSpline,
) -> tuple[Tensor, Tensor]:
    """How far keypoints fail to follow a known warp (FOMM eq. 10 and 11).

    Args:
        value, jacobian: found in the picture, `[B, K, 2]`, `[B, K, 2, 2]`.
        warped_value, warped_jacobian: found in `spline.picture(picture)`.
        spline: the warp.

    Returns:
        The losses of the values and of the jacobians.
    """
    value_loss = (value - spline.points(warped_value)).abs().mean()
    moved = spline.jacobian(warped_value) @ warped_jacobian
    identity = torch.eye(2).to(value)
    jacobian_loss = (identity - torch.linalg.inv(jacobian.float()) @ moved.float()).abs().mean()
    return value_loss, jacobian_loss
