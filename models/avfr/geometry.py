"""Fields of motion, and drawings of landmarks. All coordinates are on [-1, 1].

Differences are written as sums (`a + -b`), dimensions are added by `reshape`, and parts are taken
by `split`. OpenVINO would replace the usual notations by operations of its own, and these would
compute in bf16.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..face.gaze import EYE_CORNERS
from ..face.mesh import CHANNELS, POINTS


def exact(like: Tensor) -> torch.autocast:
    """Switch mixed precision off: 8 bits of mantissa would displace pixels by half their size."""
    return torch.autocast(like.device.type, enabled=False)


__all__ = [
    "Drawing",
    "Warp",
    "affine_maps",
    "coordinates",
    "exact",
    "grid",
    "heatmaps",
    "moved",
    "similarity_map",
    "smoothed_residual",
    "warp",
]


def coordinates(side: int, like: Tensor) -> Tensor:
    """Pixel centres, `[side]`, on [-1, 1], as grid_sample has them without align_corners."""
    return (torch.arange(side, device=like.device, dtype=like.dtype) * 2 + 1) / side - 1


def grid(side: int, like: Tensor) -> Tensor:
    """Pixel centres (x, y) of a picture, `[side, side, 2]`."""
    line = coordinates(side, like)
    return torch.stack([line[None, :].expand(side, side), line[:, None].expand(side, side)], dim=-1)


def _bells(positions: Tensor, line: Tensor, sigma: float | Tensor) -> Tensor:
    """Gaussians around positions, evaluated along a line; the shapes broadcast."""
    if isinstance(sigma, Tensor):
        return torch.exp((positions + -line) ** 2 * (-0.5 * sigma**-2))
    return torch.exp((positions + -line) ** 2 * (-0.5 / sigma**2))


def heatmaps(points: Tensor, side: int, sigma: float = 0.1) -> Tensor:
    """Gaussians at keypoints, `[B, K, 2]` → `[B, K, side, side]` (FOMM: variance 0.01)."""
    line = coordinates(side, points)
    x, y = (_bells(position, line, sigma) for position in torch.split(points, 1, -1))
    return y.reshape(*y.shape, 1) * x.reshape(*x.shape[:-1], 1, side)


def affine_maps(
    value: Tensor, jacobian: Tensor, source_value: Tensor, source_jacobian: Tensor
) -> Tensor:
    """First-order motion around each keypoint (FOMM eq. 4).

    `T(z) = kp_source + J_source J_driving⁻¹ (z − kp_driving)`.

    Args:
        value, source_value: `[B, K, 2]`; jacobian, source_jacobian: `[B, K, 2, 2]`.

    Returns:
        `[B, K, 2, 3]`: map (x, y, 1) of a driving pixel to the place in the source that it shows.
    """
    eye = torch.eye(2, device=value.device, dtype=value.dtype)
    adjugate = (jacobian * eye).sum((-1, -2), keepdim=True) * eye + -jacobian
    determinant = 0.5 * (jacobian * adjugate.transpose(-1, -2)).sum((-1, -2), keepdim=True)
    # The region of a closed eye is nearly a line: limit how far the inverse stretches it.
    size = 0.05 * (jacobian * jacobian).sum((-1, -2), keepdim=True) + 1e-6
    determinant = torch.where(
        determinant < 0,
        torch.minimum(determinant, -size),
        torch.maximum(determinant, size),
    )
    linear = source_jacobian @ (adjugate / determinant)
    shift = source_value.reshape(*source_value.shape, 1) + linear @ (-value).reshape(
        *value.shape, 1
    )
    return torch.cat([linear, shift], -1)


def moved(maps: Tensor, side: int) -> Tensor:
    """Pixel centres moved by affine maps, `[B, K, 2, 3]` → `[B, K, 2, side, side]`, x before y."""
    z = grid(side, maps).permute(2, 0, 1).reshape(2, -1)
    z = torch.cat([z, torch.ones_like(z[:1])])
    batch, count = maps.shape[:2]
    return (maps.reshape(batch, -1, 3) @ z).reshape(batch, count, 2, side, side)


def similarity_map(source: Tensor, driving: Tensor) -> Tensor:
    """Least-squares similarity from driving to source: `[B, P, 2]` twice → `[B, 1, 2, 3]`."""
    cs, cd = -source.mean(1, keepdim=True), -driving.mean(1, keepdim=True)
    s, d = source + cs, driving + cd
    cross = d.transpose(1, 2) @ s  # [B, 2, 2]
    eye = torch.eye(2, device=source.device, dtype=source.dtype)
    turn = torch.cat([-eye[1:], eye[:1]])  # [[0, -1], [1, 0]]
    norm = (d * d).sum((1, 2), keepdim=True).clamp_min(1e-6)
    a = (cross * eye).sum((1, 2), keepdim=True) / norm
    b = (cross * turn.T).sum((1, 2), keepdim=True) / norm
    linear = a * eye + b * turn
    shift = linear @ cd.reshape(-1, 2, 1) + -cs.reshape(-1, 2, 1)
    return torch.cat([linear, shift], -1).reshape(-1, 1, 2, 3)


def smoothed_residual(
    similarity: Tensor,
    source: Tensor,
    driving: Tensor,
    side: int,
    sigma: float = 0.045,
    leak: float = 0.02,
) -> Tensor:
    """The part of the landmarks' motion that a similarity does not explain, spread around them.

    Irises, if there are any after the landmarks, have a narrow spread and a large weight: they
    outweigh the lids, and move little besides themselves.

    Args:
        similarity: `[B, 1, 2, 3]`.
        source, driving: `[B, P, 2]`, or `[B, P + 2, 2]` with irises.
        sigma: standard deviation of the spread.
        leak: weight of no motion at all, so that the result tends to 0 far from all landmarks.

    Returns:
        `[B, 2, side, side]`, x before y. Added to the similarity, it maps each driving landmark
        about to its source.
    """
    batch, count = driving.shape[:2]
    at = driving.transpose(1, 2).reshape(batch, 1, 2, count)
    led = torch.cat([at, torch.ones_like(at[:, :, :1])], 2)
    residual = source.transpose(1, 2).reshape(batch, 1, 2, count) + -similarity @ led
    weights = torch.cat([residual, torch.ones_like(residual[:, :, :1])], 2)  # [B, 1, 3, P]
    line = coordinates(side, driving)
    widths: float | Tensor = sigma
    if count > len(POINTS):
        weights = weights * _of_irises(count, _IRIS_WEIGHT, 1.0, driving).reshape(1, 1, 1, count)
        widths = _of_irises(count, _IRIS_SIGMA, sigma, driving).reshape(1, count, 1)
    x, y = (_bells(position, line, widths) for position in torch.split(driving, 1, -1))
    rows = weights.reshape(batch, 3, count, 1) * x.reshape(batch, 1, count, side)
    total = y.transpose(1, 2).reshape(batch, 1, side, count) @ rows  # [B, 3, side, side]
    moved, weight = torch.split(total, [2, 1], 1)
    return moved / (weight + leak)


_IRIS_WEIGHT, _IRIS_SIGMA = 20.0, 0.02


def _of_irises(count: int, irises: float, others: float, like: Tensor) -> Tensor:
    """A number for each of `count` points, with one value for the irises and one for all others."""
    value = torch.full((count,), others, device=like.device, dtype=like.dtype)
    value[len(POINTS) :] = irises
    return value


class Drawing(nn.Module):
    """Landmarks drawn as soft lines: `[B, P, 2]` → `[B, 6, side, side]` on [0, 1].

    With `gaze` the input is `[B, P + 2, 2]`: two irises come after the points, and a seventh
    channel shows them as soft discs whose size depends on the width of the eyes.

    A line is a row of Gaussian dots. Gaussians are separable, so each channel is one matrix
    product, which gives the same result in every backend.
    """

    dots: Tensor
    halves: Tensor

    def __init__(self, gaze: bool = False) -> None:
        super().__init__()
        self.channels = len(CHANNELS) + int(gaze)
        self.gaze = gaze
        steps = 3
        rows = []
        for _, segments in CHANNELS:
            for first, second in segments:
                for step in range(steps):
                    row = torch.zeros(len(POINTS))
                    row[first] += 1 - step / steps
                    row[second] += step / steps
                    rows.append(row)
        self.counts = [steps * len(segments) for _, segments in CHANNELS]
        self.register_buffer("dots", torch.stack(rows, 1), persistent=False)  # [P, D]
        halves = torch.zeros(len(POINTS), len(EYE_CORNERS))
        for eye, (left, right) in enumerate(EYE_CORNERS):
            halves[left, eye], halves[right, eye] = -0.5, 0.5
        self.register_buffer("halves", halves, persistent=False)  # [P, 2], half an eye's width

    def forward(self, points: Tensor, side: int) -> Tensor:
        """`[B, P, 2]` → `[B, 6, side, side]`; lines are about one and a half pixels wide."""
        irises: list[Tensor] = []
        if self.gaze:
            points, centres = torch.split(
                points, [len(self.dots), points.shape[1] - len(self.dots)], 1
            )
            with exact(points):
                irises = [self._irises(points, centres, side)]
        with exact(points):
            points = points.transpose(1, 2).reshape(-1, 1, 2, points.shape[1])
            dots = torch.split(points @ self.dots, 1, 2)  # twice [B, 1, 1, D]
            line = coordinates(side, points).reshape(side, 1)
            x, y = (_bells(position, line, 1.4 / side) for position in dots)
        lines = zip(*(torch.split(bells, self.counts, 3) for bells in (x, y)), strict=True)
        return torch.cat([*(y @ x.transpose(2, 3) for x, y in lines), *irises], 1).clamp(0, 1)

    def _irises(self, points: Tensor, centres: Tensor, side: int) -> Tensor:
        """Both irises as discs, `[B, 1, side, side]`."""
        half = points.transpose(1, 2) @ self.halves  # [B, 2, eyes]
        # An iris is two fifths as wide as its eye, but not smaller than a pixel can show.
        width = 0.3 * (half * half).sum(1, keepdim=True).sqrt().clamp_min(1.4 / side)
        line = coordinates(side, points).reshape(side, 1)
        x, y = (
            _bells(place.transpose(1, 2), line, width) for place in torch.split(centres, 1, -1)
        )  # [B, side, eyes]
        return (y @ x.transpose(1, 2)).reshape(-1, 1, side, side)


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Sample `[B, C, H, W]` at `flow [B, H, W, 2]`."""
    moved = F.grid_sample(features.float(), flow, padding_mode="border", align_corners=False)
    return moved.to(features.dtype)


class Warp(nn.Module):
    """`warp` for features of several sides; two small matrix products resize the flow bilinearly.

    Args:
        flow_side: side of the flows.
        sides: sides of the features.
    """

    def __init__(self, flow_side: int, sides: Iterable[int]) -> None:
        super().__init__()
        for side in sides:
            if side != flow_side:
                rows = F.interpolate(torch.eye(flow_side)[None], side, mode="linear")[0]
                self.register_buffer(f"resize{side}", rows, persistent=False)  # [flow_side, side]

    def forward(self, features: Tensor, flow: Tensor) -> Tensor:
        """Sample `[B, C, H, W]` at `flow [B, h, w, 2]`."""
        side = features.shape[-1]
        if flow.shape[1] != side:
            rows = self.get_buffer(f"resize{side}")
            with exact(flow):
                flow = (rows.T @ flow.permute(0, 3, 1, 2) @ rows).permute(0, 2, 3, 1)
        return warp(features, flow)
