"""Audio encoder and audio-visual attention (AVFR-GAN section 3, equation 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..mel import MEL_BANDS, MEL_STEPS
from .blocks import conv, resize
from .config import AvfrConfig

__all__ = ["AudioEncoder"]


class AudioEncoder(nn.Module):
    """Encodes a log-mel window as Enc_aud, a map, and Enc_query, a vector."""

    def __init__(self, config: AvfrConfig, query: int) -> None:
        super().__init__()
        width = max(16, config.audio_channels)
        self.side = config.audio_size
        self.trunk = nn.Sequential(
            nn.Conv2d(1, width, 3, (2, 1), 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(width, 2 * width, 3, 2, 1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(2 * width, 4 * width, 3, 2, 1),
            nn.LeakyReLU(0.1),
        )
        flat = 4 * width * (MEL_BANDS // 8) * -(-MEL_STEPS // 4)
        self.code = nn.Linear(flat, 4 * width)
        self.seed = nn.Linear(4 * width, 4 * width * 16)
        self.grow = nn.ModuleList()
        channels, side = 4 * width, 4
        while side < self.side:
            outputs = max(config.audio_channels, channels // 2)
            self.grow.append(conv(channels, outputs))
            channels, side = outputs, 2 * side
        self.head = conv(channels, config.audio_channels, 1)
        self.query = nn.Sequential(
            nn.Linear(4 * width, 64), nn.LeakyReLU(0.1), nn.Linear(64, query)
        )

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """`mel [B, 1, 80, 20]` → `Enc_aud [B, a, s, s]`, `Enc_query [B, c]`."""
        code = F.leaky_relu(self.code(self.trunk(mel).flatten(1)), 0.1)
        x = self.seed(code).reshape(mel.shape[0], -1, 4, 4)
        for layer in self.grow:
            x = F.leaky_relu(layer(F.interpolate(x, scale_factor=2.0)), 0.1)
        return self.head(x), self.query(code)


def attention(query: Tensor, motion: Tensor) -> Tensor:
    """Equation 2, `sigmoid(Enc_query · Enc_motion)`: `[B, c]`, `[B, c, h, w]` → `[B, 1, h, w]`."""
    scale = motion.shape[1] ** -0.5
    return torch.sigmoid((motion * query[:, :, None, None]).sum(1, keepdim=True) * scale)


def fused(audio: Tensor, query: Tensor, motion: Tensor) -> Tensor:
    """`Enc_dec = concat(Enc_motion, Enc_aud, Enc_attn)`, `[B, c + a + 1, h, w]`."""
    side = motion.shape[-1]
    return torch.cat([motion, resize(audio, side), attention(query, motion)], 1)
