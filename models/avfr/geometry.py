"""Fields of motion and drawings of landmarks, all on coordinates of [-1, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..mesh import CHANNELS, POINTS


def exact(like: Tensor) -> torch.autocast:
    """Leave mixed precision: eight bits of mantissa would move a pixel by half its size."""
    return torch.autocast(like.device.type, enabled=False)


__all__ = ["Drawing", "coordinates", "exact", "heatmaps", "landmark_field", "sparse_motion", "warp"]


def coordinates(side: int, like: Tensor) -> Tensor:
    """Pixel centres, `[side]`, on [-1, 1] (grid_sample's convention, align_corners off)."""
    return (torch.arange(side, device=like.device, dtype=like.dtype) * 2 + 1) / side - 1


def grid(side: int, like: Tensor) -> Tensor:
    """`[side, side, 2]` of (x, y)."""
    line = coordinates(side, like)
    return torch.stack([line[None, :].expand(side, side), line[:, None].expand(side, side)], dim=-1)


def _bells(positions: Tensor, side: int, sigma: float) -> tuple[Tensor, Tensor]:
    """Separable Gaussians: `[B, P, 2]` → along x and along y, each `[B, P, side]`."""
    line = coordinates(side, positions)
    distance = (line - positions[..., None]) ** 2  # [B, P, 2, side]
    bells = torch.exp(distance * (-0.5 / sigma**2))
    return bells[:, :, 0], bells[:, :, 1]


def heatmaps(points: Tensor, side: int, sigma: float = 0.1) -> Tensor:
    """Gaussians at keypoints (FOMM: variance 0.01): `[B, K, 2]` → `[B, K, side, side]`."""
    x, y = _bells(points, side, sigma)
    return y[..., :, None] * x[..., None, :]


def sparse_motion(
    value: Tensor, jacobian: Tensor, source_value: Tensor, source_jacobian: Tensor, side: int
) -> Tensor:
    """First-order motion around each keypoint (FOMM eq. 4).

    `T(z) = kp_source + J_source J_driving⁻¹ (z − kp_driving)`.

    Args:
        value, source_value: `[B, K, 2]`; jacobian, source_jacobian: `[B, K, 2, 2]`.

    Returns:
        `[B, K, side, side, 2]`: where in the source each driving pixel comes from.
    """
    a, b = jacobian[..., 0, 0], jacobian[..., 0, 1]
    c, d = jacobian[..., 1, 0], jacobian[..., 1, 1]
    determinant = a * d - b * c
    # A closed eye squeezes its region to a line: bound how far the inverse can stretch.
    size = 0.05 * (a * a + b * b + c * c + d * d) + 1e-6
    determinant = torch.where(
        determinant < 0,
        torch.minimum(determinant, -size),
        torch.maximum(determinant, size),
    )
    inverse = torch.stack([torch.stack([d, -b], -1), torch.stack([-c, a], -1)], -2)
    linear = source_jacobian @ (inverse / determinant[..., None, None])  # [B, K, 2, 2]
    z = grid(side, value)
    offset = z[None, None] - value[:, :, None, None]  # [B, K, H, W, 2]
    x, y = offset[..., 0], offset[..., 1]
    m = linear[:, :, None, None]
    moved = torch.stack(
        [m[..., 0, 0] * x + m[..., 0, 1] * y, m[..., 1, 0] * x + m[..., 1, 1] * y], -1
    )
    return moved + source_value[:, :, None, None]


def landmark_field(
    source: Tensor, driving: Tensor, side: int, sigma: float = 0.045, leak: float = 0.02
) -> Tensor:
    """Motion that follows every landmark: a similarity, plus smoothed residuals.

    Args:
        source, driving: `[B, P, 2]`.
        sigma: width of the smoothing.
        leak: weight of "no residual", so that the field tends to the similarity far away.

    Returns:
        `[B, 1, side, side, 2]`.
    """
    cs, cd = source.mean(1, keepdim=True), driving.mean(1, keepdim=True)
    s, d = source - cs, driving - cd
    norm = (d * d).sum((1, 2)).clamp_min(1e-6)
    a = (s * d).sum((1, 2)) / norm
    b = (d[..., 0] * s[..., 1] - d[..., 1] * s[..., 0]).sum(1) / norm
    a, b = a[:, None], b[:, None]

    def similar(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return a * x - b * y, b * x + a * y

    px, py = similar(d[..., 0], d[..., 1])
    residual = torch.stack([s[..., 0] - px, s[..., 1] - py], 1)  # [B, 2, P]
    bx, by = _bells(driving, side, sigma)
    weighted = torch.cat([residual, torch.ones_like(residual[:, :1])], 1)  # [B, 3, P]
    total = by[:, None].transpose(2, 3) @ (weighted[..., None] * bx[:, None])  # [B, 3, H, W]
    smooth = total[:, :2] / (total[:, 2:] + leak)
    z = grid(side, source)
    a, b = a[..., None], b[..., None]
    zx, zy = z[..., 0] - cd[..., :1], z[..., 1] - cd[..., 1:]
    fx = a * zx - b * zy + cs[..., :1] + smooth[:, 0]
    fy = b * zx + a * zy + cs[..., 1:] + smooth[:, 1]
    return torch.stack([fx, fy], -1)[:, None]


class Drawing(nn.Module):
    """Landmarks drawn as soft lines: `[B, P, 2]` → `[B, 6, side, side]` on [0, 1].

    A line is a row of Gaussian dots; their separable sum is one matrix product a channel, which
    runs the same in every backend.
    """

    channels = len(CHANNELS)
    dots: Tensor

    def __init__(self) -> None:
        super().__init__()
        steps = 3
        rows, owner = [], []
        for channel, (_, segments) in enumerate(CHANNELS):
            for first, second in segments:
                for step in range(steps):
                    row = torch.zeros(len(POINTS))
                    row[first] += 1 - step / steps
                    row[second] += step / steps
                    rows.append(row)
                    owner.append(channel)
        self.owners = owner
        self.register_buffer("dots", torch.stack(rows), persistent=False)  # [D, P]

    def forward(self, points: Tensor, side: int) -> Tensor:
        """`[B, P, 2]` → `[B, 6, side, side]`; lines are about a pixel and a half wide."""
        with exact(points):
            dots = self.dots @ points  # [B, D, 2]
            x, y = _bells(dots, side, 1.4 / side)
        planes, start = [], 0
        for channel in range(self.channels):
            stop = start + self.owners.count(channel)
            planes.append(y[:, start:stop].transpose(1, 2) @ x[:, start:stop])
            start = stop
        return torch.stack(planes, 1).clamp(0, 1)


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Sample `[B, C, H, W]` at `flow [B, h, w, 2]`, resized to the features' side."""
    side = features.shape[-1]
    if flow.shape[1] != side:
        flow = F.interpolate(
            flow.permute(0, 3, 1, 2), size=(side, side), mode="bilinear", align_corners=False
        ).permute(0, 2, 3, 1)
    moved = F.grid_sample(features.float(), flow, padding_mode="border", align_corners=False)
    return moved.to(features.dtype)
