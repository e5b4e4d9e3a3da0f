"""Dense motion with occlusion (AVFR-GAN section 3, after FOMM section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..face.mesh import POINTS
from .blocks import Hourglass, conv, resize, silent
from .config import AvfrConfig
from .geometry import (
    Drawing,
    affine_maps,
    exact,
    grid,
    heatmaps,
    moved,
    similarity_map,
    smoothed_residual,
    warp,
)

__all__ = ["DenseMotion"]


class DenseMotion(nn.Module):
    """Weighs K + 1 fields of motion for each pixel; with landmarks there is one more."""

    def __init__(self, config: AvfrConfig) -> None:
        super().__init__()
        self.side = config.motion_size
        self.flow_side = min(2 * config.motion_size, config.size // 4)
        self.landmarks = config.landmark_prior
        self.fields = config.keypoints + 1 + int(self.landmarks)
        inputs = config.keypoints + 3 * self.fields
        if self.landmarks:
            self.drawing = Drawing(config.gaze)
            inputs += 2 * self.drawing.channels
        self.hourglass = Hourglass(
            inputs, config.motion_base, config.motion_max, config.motion_levels
        )
        kernel = config.motion_kernel
        self.mask = conv(self.hourglass.outputs, self.fields, kernel)
        self.occlusion = conv(self.hourglass.outputs, 1, kernel)
        if self.occlusion.bias is not None:
            # At first nearly everything counts as visible in the source.
            nn.init.constant_(self.occlusion.bias, 2.0)
        self.offset = silent(conv(self.hourglass.outputs, 2, kernel))

    def maps(self, source: dict[str, Tensor], driving: dict[str, Tensor]) -> Tensor:
        """Affine maps `[B, fields - 1, 2, 3]` of all fields but the still one; landmarks last."""
        found = affine_maps(
            driving["value"], driving["jacobian"], source["value"], source["jacobian"]
        )
        if not self.landmarks:
            return found
        at, to = (motion["points"][:, : len(POINTS)] for motion in (source, driving))
        return torch.cat([found, similarity_map(at, to)], 1)

    def bend(
        self, maps: Tensor, source: dict[str, Tensor], driving: dict[str, Tensor], side: int
    ) -> Tensor:
        """Motion that the landmarks' field has beyond its similarity, `[B, 2, side, side]`."""
        return smoothed_residual(maps[:, -1:], source["points"], driving["points"], side)

    def encode_source(self, picture: Tensor, points: Tensor) -> list[Tensor]:
        """Prepare what depends on the source alone, once for each keyframe.

        Args:
            picture: `[B, 3, size, size]` on [0, 1].
            points: the source's landmarks, `[B, P, 2]`.

        Returns:
            The source at `motion_size`, `[B, 3, m, m]`, and, with landmarks, these drawn at that
            size, `[B, C, m, m]`.
        """
        small = resize(picture, self.side)
        return [small, self.drawing(points, self.side)] if self.landmarks else [small]

    def forward(
        self, prepared: list[Tensor], source: dict[str, Tensor], driving: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Compute flow and occlusion of a frame.

        Args:
            prepared: from `encode_source`.
            source, driving: `value [B, K, 2]`, `jacobian [B, K, 2, 2]`, `points [B, P, 2]`.

        Returns:
            `flow [B, f, f, 2]`, `occlusion [B, 1, f, f]` on [0, 1], `mask [B, fields, f, f]`.
        """
        picture, side = prepared[0], self.side
        batch = picture.shape[0]
        with exact(picture):
            maps = self.maps(source, driving)
            fields = moved(maps, side)
            if self.landmarks:
                fields, last = torch.split(fields, [self.fields - 2, 1], 1)
                bend = self.bend(maps, source, driving, side).reshape(batch, 1, 2, side, side)
                fields = torch.cat([fields, last + bend], 1)
            # All fields are sampled at once, stacked below each other in one tall grid.
            tall = fields.permute(0, 1, 3, 4, 2).reshape(batch, -1, side, 2)
        warped = warp(picture, tall).reshape(batch, 3, -1, side, side).transpose(1, 2)
        difference = heatmaps(driving["value"], side) - heatmaps(source["value"], side)
        inputs = [difference, picture, warped.reshape(batch, -1, side, side)]
        if self.landmarks:
            inputs += [self.drawing(driving["points"], side), prepared[1]]
        x = self.hourglass(torch.cat(inputs, 1))
        side = self.flow_side
        mask = torch.softmax(resize(self.mask(x), side).float(), 1)
        flow = 0.1 * resize(self.offset(x), side).float()
        with exact(picture):
            # Fields count by how far they differ from standing still: so a mask that is rounded
            # to bf16 does not round the flow. The maps are mixed before they move a pixel: that
            # is one small product of matrices in place of a field for each map.
            still = grid(side, maps).permute(2, 0, 1).reshape(1, 2, side, side)
            unmoved = torch.eye(2, 3, device=maps.device, dtype=maps.dtype)
            change = (maps + -unmoved).reshape(batch, -1, 6).transpose(1, 2)
            mixed = (change @ mask[:, 1:].reshape(batch, -1, side * side)).reshape(
                batch, 2, 3, side, side
            )
            across, down, shift = torch.split(mixed, 1, 2)
            x_axis, y_axis = torch.split(still, 1, 1)
            flow = flow + (
                across.reshape(batch, 2, side, side) * x_axis
                + down.reshape(batch, 2, side, side) * y_axis
                + shift.reshape(batch, 2, side, side)
            )
            if self.landmarks:
                flow = flow + mask[:, -1:] * self.bend(maps, source, driving, side)
            flow = (flow + still).permute(0, 2, 3, 1)
        occlusion = torch.sigmoid(resize(self.occlusion(x), side))
        return {"flow": flow, "occlusion": occlusion, "mask": mask}
