"""`AdaConv`: a convolution whose kernel comes from a vector (section 3, equation 4)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...codec.errors import ConfigError

__all__ = ["AdaConv"]

_SLOPE = 0.2  # of the leaky ReLU
_FIRST = 0.05  # of the last layer's weights: at first, kernels depend a little on the vector


class AdaConv(nn.Module):
    """Convolves normalised features with kernels that two linear layers make of a vector.

    With kernel 1 and one channel a group it is AdaIN (Huang and Belongie 2017): a scale and an
    offset for each channel of the normalised features. Untrained, it does little but normalise.

    The vector has the length 1, so its N numbers are about 1 / sqrt(N) each. They are multiplied by
    sqrt(N) first. Without this, the kernels of an untrained network differ by a thousandth from one
    vector to the other. It is not known whether training gains by it (`docs/reenactors.md`).

    Args:
        vector: N, how many numbers the vector has.
        channels: C of the features.
        kernel: k, odd.
        group: Cg, how many channels each output channel sees; a divisor of C.
        hidden: width between the two linear layers.

    Raises:
        ConfigError: an even kernel, or a group that does not divide the channels.
    """

    def __init__(
        self, vector: int, channels: int, *, kernel: int = 3, group: int = 1, hidden: int = 12
    ) -> None:
        super().__init__()
        if kernel < 1 or kernel % 2 == 0 or group < 1 or channels % group:
            raise ConfigError(
                f"AdaConv needs an odd kernel, not {kernel}, and a group that divides its "
                f"{channels} channels, not {group}"
            )
        self.channels, self.kernel, self.group = channels, kernel, group
        self.scale = math.sqrt(vector)
        first = nn.Linear(vector, hidden)
        last = nn.Linear(hidden, kernel * kernel * group * channels + channels)
        self.parameters_of = nn.Sequential(first, nn.LeakyReLU(_SLOPE), last)
        nn.init.kaiming_normal_(first.weight, _SLOPE)
        nn.init.zeros_(first.bias)
        with torch.no_grad():
            # At first a kernel passes on the channel that it belongs to.
            start = torch.zeros(channels, group, kernel, kernel)
            own = torch.arange(channels)
            start[own, own % group, kernel // 2, kernel // 2] = 1
            nn.init.kaiming_normal_(last.weight, 1.0).mul_(_FIRST)
            last.bias.copy_(torch.cat([start.flatten(), torch.zeros(channels)]))

    def forward(self, x: Tensor, f_geo: Tensor) -> Tensor:
        """Convolve; the whole batch is one grouped convolution.

        Args:
            x: features `[B, C, H, W]`.
            f_geo: `[B, vector]`, each of length 1.

        Returns:
            `[B, C, H, W]`.
        """
        batch, channels, height, width = x.shape
        made = self.parameters_of(f_geo * self.scale)
        weights, bias = made[:, :-channels], made[:, -channels:]
        result = F.conv2d(
            F.instance_norm(x).reshape(1, batch * channels, height, width),
            weights.reshape(batch * channels, self.group, self.kernel, self.kernel),
            bias.reshape(batch * channels),
            padding=self.kernel // 2,
            groups=batch * channels // self.group,
        )
        return result.reshape(batch, channels, height, width)
