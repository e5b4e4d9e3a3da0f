"""Building blocks of the networks: residual blocks, SPADE blocks, and the hourglass."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["Hourglass", "ResBlock", "SpadeBlock", "SpadeNorm", "Stack", "conv", "resize", "silent"]


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution whose output is as large as its input, divided by the stride."""
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)


def resize(x: Tensor, side: int) -> Tensor:
    """Resize to `[B, C, side, side]`: bilinear, or averaged if it shrinks by a whole factor."""
    if x.shape[-1] == side:
        return x
    if x.shape[-1] > side and x.shape[-1] % side == 0:
        return F.avg_pool2d(x, x.shape[-1] // side)
    return F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)


def silent(layer: nn.Conv2d) -> nn.Conv2d:
    """Set the weights and biases of a layer to zero, so that it has no effect at first."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    return layer


class ResBlock(nn.Module):
    """Pre-activation residual block, `[B, C, H, W]` → the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels), silent(conv(channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, H, W]` → `[B, C, H, W]`."""
        y: Tensor = self.second(F.leaky_relu(self.first(F.leaky_relu(x, 0.1)), 0.1))
        return x + y


class Stack(nn.ModuleList):
    """Blocks of one scale, applied one after another with the same conditions."""

    def forward(self, x: Tensor, *conditions: Tensor) -> Tensor:
        """`x [B, C, H, W]` and the conditions that each block takes → `[B, C, H, W]`."""
        for block in self:
            x = block(x, *conditions)
        return x


class SpadeNorm(nn.Module):
    """Spatially adaptive modulation (SPADE, arXiv 1903.07291, eq. 1).

    Without `normalise` the features are modulated without being normalised first. That is cheaper,
    and steadier from frame to frame, since no statistics of the frame take part.
    """

    def __init__(self, channels: int, condition: int, hidden: int, normalise: bool) -> None:
        super().__init__()
        self.normalise = normalise
        if hidden:
            self.shared: nn.Module = nn.Sequential(conv(condition, hidden), nn.ReLU())
            self.modulation = conv(hidden, 2 * channels)
        else:
            self.shared = nn.Identity()
            self.modulation = conv(condition, 2 * channels, 1)
        silent(self.modulation)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`x [B, C, H, W]`, `condition [B, D, H, W]` → `[B, C, H, W]`."""
        gamma, beta = self.modulation(self.shared(condition)).chunk(2, 1)
        if self.normalise:
            x = F.instance_norm(x)
        modulated: Tensor = x * (1 + gamma) + beta
        return modulated


class SpadeBlock(nn.Module):
    """Residual block of two convolutions, each of them after a SPADE modulation."""

    def __init__(self, channels: int, condition: int, hidden: int, normalise: bool) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            SpadeNorm(channels, condition, hidden, normalise) for _ in range(2)
        )
        last = silent(conv(channels, channels))
        self.convs = nn.ModuleList([conv(channels, channels), last])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """`x [B, C, H, W]`, `condition [B, D, H, W]` → `[B, C, H, W]`."""
        y = x
        for norm, convolution in zip(self.norms, self.convs, strict=True):
            y = convolution(F.leaky_relu(norm(y, condition), 0.1))
        return x + y


class Hourglass(nn.Module):
    """FOMM's encoder and decoder with skip connections.

    The side of its input must be divisible by 2 ** levels. Its output has `base + inputs`
    channels, as in FOMM, since the last skip connection is the input itself.
    """

    def __init__(self, inputs: int, base: int, maximum: int, levels: int) -> None:
        super().__init__()
        width = [inputs] + [min(maximum, base * 2 ** (i + 1)) for i in range(levels)]
        self.down = nn.ModuleList(conv(width[i], width[i + 1]) for i in range(levels))
        self.up = nn.ModuleList()
        channels = width[levels]
        for i in reversed(range(levels)):
            outputs = min(maximum, base * 2**i)
            self.up.append(conv(channels, outputs))
            channels = outputs + width[i]
        self.outputs = channels

    def forward(self, x: Tensor) -> Tensor:
        """`[B, inputs, H, W]` → `[B, outputs, H, W]`."""
        skips = [x]
        for layer in self.down:
            skips.append(F.avg_pool2d(F.leaky_relu(layer(skips[-1]), 0.1), 2))
        x = skips.pop()
        for layer in self.up:
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2.0)), 0.1)
            x = torch.cat([x, skips.pop()], 1)
        return x
