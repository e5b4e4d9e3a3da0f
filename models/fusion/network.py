"""`Fusion`: makes one picture of a generated one and one of a base layer.

A small U-Net sees both pictures, the landmarks that the generator drew, and how old the base is. It
chooses softly between the two for each pixel, and adds a correction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...codec.errors import WeightsError
from ..avfr.blocks import ResBlock, Stack, conv, silent
from ..avfr.geometry import Drawing

__all__ = ["OLDEST", "Fusion", "FusionConfig"]

OLDEST = 16
"""Frames: a base that is older counts as this old."""


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Shape of the network.

    Attributes:
        size: side of the pictures in pixels.
        channels: number of channels at a half, a quarter and an eighth of the size.
        blocks: number of residual blocks at each of these scales on the way down. On the way up,
            each but the last has one.
    """

    size: int = 256
    channels: tuple[int, int, int] = (24, 48, 64)
    blocks: tuple[int, int, int] = (0, 1, 2)

    def to_dict(self) -> dict[str, Any]:
        """The shape as plain values, for the metadata of a safetensors file."""
        return {"name": "fusion", **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of `to_dict`. Raises `WeightsError` for another kind of network."""
        try:
            if values["name"] != "fusion":
                raise ValueError(f"it is {values['name']!r}")
            first, second, third = (int(n) for n in values["channels"])
            a, b, c = (int(n) for n in values["blocks"])
            return cls(int(values["size"]), (first, second, third), (a, b, c))
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"these are not weights of a fusion network: {error}") from error


class Fusion(nn.Module):
    """See the docstring of this module."""

    def __init__(self, config: FusionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or FusionConfig()
        fine, middle, coarse = config.channels
        self.drawing = Drawing()
        self.enter = conv(4 * 9 + 1, fine)
        self.down = nn.ModuleList(
            [conv(fine, middle, 3, 2), conv(middle + self.drawing.channels, coarse, 3, 2)]
        )
        self.blocks = nn.ModuleList(
            Stack(ResBlock(width) for _ in range(count))
            for width, count in zip(config.channels, config.blocks, strict=True)
        )
        self.up = nn.ModuleList([conv(coarse, 4 * middle, 1), conv(middle, 4 * fine, 1)])
        self.join = nn.ModuleList([conv(2 * middle, middle), conv(2 * fine, fine)])
        self.after = nn.ModuleList([ResBlock(middle), ResBlock(fine)])
        self.head = silent(conv(fine, 4 * 4))

    def forward(self, made: Tensor, base: Tensor, drawn: Tensor, age: Tensor) -> Tensor:
        """Fuse two pictures of the same size.

        Args:
            made: the generated picture, `[B, 3, H, W]` on [0, 1], H and W multiples of 8.
            base: the picture of the base layer, of the same shape.
            drawn: the landmarks as `draw` draws them, `[B, 6, H / 4, W / 4]`.
            age: how many frames ago the picture of the base was coded, `[B]`, 0 to `OLDEST`.

        Returns:
            `[B, 3, H, W]`, about on [0, 1] but not clamped.
        """
        old = (age.clamp(0, OLDEST) / OLDEST).reshape(-1, 1, 1, 1)
        x = F.pixel_unshuffle(torch.cat([made, base, made - base], 1), 2)
        x = torch.cat([x, old.expand(-1, 1, x.shape[2], x.shape[3])], 1)
        fine = self.blocks[0](self.enter(x))
        middle = self.blocks[1](self.down[0](F.leaky_relu(fine, 0.1)))
        lined = torch.cat([F.leaky_relu(middle, 0.1), drawn], 1)
        x = self.blocks[2](self.down[1](lined))
        for skip, up, join, after in zip(
            (middle, fine), self.up, self.join, self.after, strict=True
        ):
            x = after(join(torch.cat([F.pixel_shuffle(up(x), 2), skip], 1)))
        x = F.pixel_shuffle(self.head(F.leaky_relu(x, 0.1)), 2)
        correction, choice = torch.split(x, [3, 1], 1)
        return base + torch.sigmoid(choice) * (made - base) + correction

    def draw(self, points: Tensor) -> Tensor:
        """Draw landmarks `[B, P, 2]` on [-1, 1] as lines, `[B, 6, size / 4, size / 4]`."""
        lines: Tensor = self.drawing(points, self.config.size // 4)
        return lines
