"""Dense motion with occlusion (AVFR-GAN section 3, after FOMM section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .blocks import Hourglass, conv, resize, silent
from .config import AvfrConfig
from .geometry import Drawing, exact, grid, heatmaps, landmark_field, sparse_motion

__all__ = ["DenseMotion"]


class DenseMotion(nn.Module):
    """Chooses for each pixel among K + 1 (with landmarks K + 2) fields of motion."""

    def __init__(self, config: AvfrConfig) -> None:
        super().__init__()
        self.side = config.motion_size
        self.flow_side = min(2 * config.motion_size, config.size // 4)
        self.landmarks = config.landmark_prior
        self.fields = config.keypoints + 1 + int(self.landmarks)
        inputs = config.keypoints + 3 * self.fields
        if self.landmarks:
            self.drawing = Drawing()
            inputs += 2 * Drawing.channels
        self.hourglass = Hourglass(
            inputs, config.motion_base, config.motion_max, config.motion_levels
        )
        kernel = config.motion_kernel
        self.mask = conv(self.hourglass.outputs, self.fields, kernel)
        self.occlusion = conv(self.hourglass.outputs, 1, kernel)
        if self.occlusion.bias is not None:
            # To begin with, nearly everything is seen in the source.
            nn.init.constant_(self.occlusion.bias, 2.0)
        self.offset = silent(conv(self.hourglass.outputs, 2, kernel))

    def all_fields(
        self, source: dict[str, Tensor], driving: dict[str, Tensor], side: int
    ) -> Tensor:
        """`[B, fields, side, side, 2]`: identity, K affine fields, landmarks' own."""
        moved = sparse_motion(
            driving["value"], driving["jacobian"], source["value"], source["jacobian"], side
        )
        still = grid(side, moved)[None, None].expand(moved.shape[0], 1, side, side, 2)
        fields = [still, moved]
        if self.landmarks:
            fields.append(landmark_field(source["points"], driving["points"], side))
        return torch.cat(fields, 1)

    def forward(
        self, picture: Tensor, source: dict[str, Tensor], driving: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Flow and occlusion of a frame.

        Args:
            picture: source at `motion_size`, `[B, 3, m, m]` on [0, 1].
            source, driving: `value [B, K, 2]`, `jacobian [B, K, 2, 2]`, `points [B, P, 2]`.

        Returns:
            `flow [B, f, f, 2]`, `occlusion [B, 1, f, f]` on [0, 1], `mask [B, fields, f, f]`.
        """
        side = self.side
        with exact(picture):
            fields = self.all_fields(source, driving, side)
            fine = self.all_fields(source, driving, self.flow_side)
        batch = fields.shape[0]
        stacked = fields.permute(0, 2, 1, 3, 4).reshape(batch, side, -1, 2)
        # One sampling for all fields: they lie side by side in one tall grid.
        warped = F.grid_sample(picture, stacked, padding_mode="border", align_corners=False)
        warped = warped.reshape(batch, 3, side, self.fields, side).permute(0, 3, 1, 2, 4)
        difference = heatmaps(driving["value"], side) - heatmaps(source["value"], side)
        inputs = [difference, warped.reshape(batch, -1, side, side)]
        if self.landmarks:
            inputs += [self.drawing(driving["points"], side), self.drawing(source["points"], side)]
        x = self.hourglass(torch.cat(inputs, 1))
        side = self.flow_side
        logits = resize(self.mask(x), side)
        mask = torch.softmax(logits.float(), 1)
        flow = (mask[..., None] * fine).sum(1)
        flow = flow + 0.1 * resize(self.offset(x), side).permute(0, 2, 3, 1).float()
        occlusion = torch.sigmoid(resize(self.occlusion(x), side))
        return {"flow": flow, "occlusion": occlusion, "mask": mask}
