"""Layers that the reenactors of both papers share: how a picture goes in, and how it comes out.

They are those of Pix2Pix's generator with residual blocks: a 7x7 convolution and two with stride 2
on the way in, two transposed convolutions and a 7x7 head on the way out, instance norm, and ReLU.
"""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["ResidualBlock", "decoder", "encoder", "normalised", "to_unit"]


def normalised(layer: nn.Conv2d | nn.ConvTranspose2d) -> list[nn.Module]:
    """A convolution with the instance norm and the ReLU that follow it."""
    return [layer, nn.InstanceNorm2d(layer.out_channels), nn.ReLU()]


def encoder(inputs: int, channels: int) -> nn.Sequential:
    """`[B, inputs, S, S]` → `[B, 4 channels, S / 4, S / 4]`."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), *normalised(nn.Conv2d(inputs, channels, 7))]
    for width in (channels, 2 * channels):
        layers += normalised(nn.Conv2d(width, 2 * width, 3, 2, 1))
    return nn.Sequential(*layers)


def decoder(channels: int) -> nn.Sequential:
    """`[B, 4 channels, S / 4, S / 4]` → a picture `[B, 3, S, S]` on [-1, 1]."""
    layers: list[nn.Module] = []
    for width in (4 * channels, 2 * channels):
        layers += normalised(nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1))
    layers += [nn.ReflectionPad2d(3), nn.Conv2d(channels, 3, 7), nn.Tanh()]
    return nn.Sequential(*layers)


def to_unit(picture: Tensor) -> Tensor:
    """A picture on [-1, 1] → [0, 1]."""
    return (picture + 1) / 2


class ResidualBlock(nn.Module):
    """Two layers whose result is added to what went in. Shapes stay the same.

    Args:
        channels: of the features.
        separable: each 3x3 convolution is one for each channel, then one of 1x1 across channels,
            which takes a ninth of the weights.
    """

    def __init__(self, channels: int, *, separable: bool = False) -> None:
        super().__init__()

        def layer() -> list[nn.Module]:
            if not separable:
                return [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3)]
            each = nn.Conv2d(channels, channels, 3, groups=channels)
            return [nn.ReflectionPad2d(1), each, nn.Conv2d(channels, channels, 1)]

        norm = nn.InstanceNorm2d(channels)
        self.layers = nn.Sequential(*layer(), norm, nn.ReLU(), *layer(), norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` → the same shape."""
        result: Tensor = x + self.layers(x)
        return result
