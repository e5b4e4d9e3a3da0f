"""The networks of the first order motion model that run for each frame, to compare speeds with.

They have full size and random weights, and were written for this benchmark from the paper and its
configuration for VoxCeleb (Siarohin et al. 2019, section 3 and supplementary material): dense
motion (hourglass of 5 blocks, base 64, at most 1024, at 64x64), warped features [256, 64, 64],
six residual blocks, two up-blocks, and a 7x7 head. Batch norms are folded into the convolutions, as
every runtime does it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facewire.models.avfr.blocks import Hourglass, ResBlock, conv
from facewire.models.avfr.geometry import affine_maps, grid, heatmaps, moved, warp

__all__ = ["FirstOrderMotionFrame"]


class FirstOrderMotionFrame(nn.Module):
    """Computes a frame from the source at 64x64, its features, and the keypoints of both."""

    def __init__(self, keypoints: int = 10) -> None:
        super().__init__()
        self.hourglass = Hourglass(4 * (keypoints + 1), 64, 1024, 5)
        self.mask = conv(self.hourglass.outputs, keypoints + 1, 7)
        self.occlusion = conv(self.hourglass.outputs, 1, 7)
        self.bottleneck = nn.Sequential(*(ResBlock(256) for _ in range(6)))
        self.up = nn.ModuleList([conv(256, 128), conv(128, 64)])
        self.head = conv(64, 3, 7)

    def forward(
        self,
        small: Tensor,
        features: Tensor,
        source_value: Tensor,
        source_jacobian: Tensor,
        value: Tensor,
        jacobian: Tensor,
    ) -> Tensor:
        """`small [1, 3, 64, 64]`, `features [1, 256, 64, 64]` → `[1, 3, 256, 256]`."""
        maps = affine_maps(value, jacobian, source_value, source_jacobian)
        moving = moved(maps, 64).permute(0, 1, 3, 4, 2)
        fields = torch.cat([grid(64, maps)[None, None], moving], 1)
        count = fields.shape[1]
        warped = F.grid_sample(small.expand(count, -1, -1, -1), fields[0], align_corners=False)
        difference = heatmaps(value, 64) - heatmaps(source_value, 64)
        difference = torch.cat([torch.zeros_like(difference[:, :1]), difference], 1)
        x = self.hourglass(torch.cat([difference, warped.reshape(1, -1, 64, 64)], 1))
        mask = torch.softmax(self.mask(x), 1)
        flow = (mask[..., None] * fields).sum(1)
        x = warp(features, flow) * torch.sigmoid(self.occlusion(x))
        x = self.bottleneck(x)
        for layer in self.up:
            x = F.relu(layer(F.interpolate(x, scale_factor=2.0)))
        return torch.sigmoid(self.head(x))


def example() -> tuple[Tensor, ...]:
    """Random inputs of a frame."""
    eye = torch.eye(2).expand(1, 10, 2, 2).clone()
    return (
        torch.rand(1, 3, 64, 64),
        torch.rand(1, 256, 64, 64),
        torch.rand(1, 10, 2) - 0.5,
        eye,
        torch.rand(1, 10, 2) - 0.5,
        eye,
    )
