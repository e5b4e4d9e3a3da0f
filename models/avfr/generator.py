"""The identity-aware generator (AVFR-GAN section 3)."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .audio import AudioEncoder, fused
from .blocks import ResBlock, SpadeBlock, Stack, conv, resize, silent
from .config import AvfrConfig
from .geometry import Drawing, Warp
from .motion import DenseMotion

__all__ = ["Generator", "IdentityEncoder"]

Motion = dict[str, Tensor]


class IdentityEncoder(nn.Module):
    """UNet encoder of the source picture; it runs once for each keyframe."""

    def __init__(self, config: AvfrConfig) -> None:
        super().__init__()
        self.stride = config.stem_stride
        self.landmarks = config.landmark_prior
        self.scales = config.scales
        inputs = 3 * self.stride**2
        if self.landmarks:
            self.drawing = Drawing(config.gaze)
            inputs += self.drawing.channels
        self.stem = conv(inputs, config.channels[0], 7 if self.stride == 1 else 3)
        self.down = nn.ModuleList(conv(a, b, 3, 2) for a, b in pairwise(config.channels))
        self.spade = config.spade_hidden > 0
        self.blocks = nn.ModuleList(
            Stack(
                SpadeBlock(width, 3, config.spade_hidden, config.normalise)
                if self.spade
                else ResBlock(width)
                for _ in range(max(1, count))
            )
            for width, count in zip(config.channels, config.blocks, strict=True)
        )

    def forward(self, picture: Tensor, points: Tensor) -> list[Tensor]:
        """`picture [B, 3, 256, 256]`, `points [B, P, 2]` → features, fine to coarse."""
        x = _unshuffle(picture, self.stride)
        if self.landmarks:
            x = torch.cat([x, self.drawing(points, self.scales[0])], 1)
        x = self.stem(x)
        features = []
        for level, blocks in enumerate(self.blocks):
            if level:
                x = self.down[level - 1](F.leaky_relu(x, 0.1))
            x = blocks(x, resize(picture, self.scales[level])) if self.spade else blocks(x)
            features.append(x)
        return features


class Generator(nn.Module):
    """Animates a source picture with the motion of a driving frame and its sound."""

    def __init__(self, config: AvfrConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = IdentityEncoder(config)
        self.motion = DenseMotion(config)
        self.warp = Warp(self.motion.flow_side, (config.size, *config.scales))
        self.drawing = Drawing(config.gaze)
        coarse = config.channels[-1]
        condition = coarse
        if config.audio_prior:
            self.audio = AudioEncoder(config, coarse)
            condition += config.audio_channels + 1
        drawn = self.drawing.channels if config.landmark_prior else 0
        self.enter = conv(condition + drawn, coarse)
        self.fuse = nn.ModuleList()
        self.up = nn.ModuleList()
        self.blocks = nn.ModuleList()
        levels = list(zip(config.channels, config.blocks, strict=True))
        for level in reversed(range(len(levels))):
            width, count = levels[level]
            if level < len(levels) - 1:
                above = config.channels[level + 1]
                self.up.append(conv(above, 4 * width, 3 if above <= 64 else 1))
                skip = width if config.identity_aware else 0
                skip += 3 * config.stem_stride**2 if level == 0 else 0
                self.fuse.append(conv(width + skip + drawn, width))
            modulation = condition if level == len(levels) - 1 else width + drawn
            self.blocks.append(
                Stack(
                    SpadeBlock(width, modulation, config.spade_hidden, config.normalise)
                    for _ in range(count)
                )
            )
        self.head = silent(conv(config.channels[0], 3 * config.stem_stride**2))

    def encode_source(self, picture: Tensor, points: Tensor) -> list[Tensor]:
        """Everything that depends on a keyframe alone, from `[B, 3, 256, 256]` on [0, 1] and
        `[B, P, 2]`: identity features, fine to coarse, then what the dense motion prepares.
        """
        features: list[Tensor] = self.encoder(picture, points)
        return [*features, *self.motion.encode_source(picture, points)]

    def forward(
        self,
        picture: Tensor,
        features: list[Tensor],
        source: Motion,
        driving: Motion,
        mel: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Generate one frame.

        Args:
            picture: source `[B, 3, 256, 256]` on [0, 1].
            features: from `encode_source`.
            source, driving: `value [B, K, 2]`, `jacobian [B, K, 2, 2]`, `points [B, P, 2]`.
            mel: `[B, 1, 80, 20]`; needed with `audio_prior`.

        Returns:
            `image [B, 3, 256, 256]`, about on [0, 1] but not clamped; `warped`, the source picture
            moved by the flow; and `flow`, `occlusion` and `mask` of the dense motion.
        """
        config = self.config
        identity, prepared = features[: len(config.scales)], features[len(config.scales) :]
        dense: dict[str, Tensor] = self.motion(prepared, source, driving)
        flow, occlusion = dense["flow"], dense["occlusion"]
        warped = [self.warp(f, flow) * resize(occlusion, f.shape[-1]) for f in identity]
        moved = self.warp(picture, flow)
        condition = warped[-1]
        if config.audio_prior:
            if mel is None:
                raise ValueError("this network is conditioned on sound: give `mel` [B, 1, 80, 20]")
            audio, query = self.audio(mel)
            condition = fused(audio, query, condition)
        sides = config.scales
        x = self.enter(self._with_lines([condition], driving, sides[-1]))
        x = self.blocks[0](x, condition)
        for step in range(1, len(sides)):
            level = len(sides) - 1 - step
            x = F.leaky_relu(F.pixel_shuffle(self.up[step - 1](x), 2), 0.1)
            skips = [warped[level]] if config.identity_aware else []
            if level == 0:
                skips.append(_unshuffle(moved, config.stem_stride))
            x = self.fuse[step - 1](self._with_lines([x, *skips], driving, sides[level]))
            if config.blocks[level]:
                guide = self._with_lines([warped[level]], driving, sides[level])
                x = self.blocks[step](x, guide)
        x = self.head(F.leaky_relu(x, 0.1))
        if config.stem_stride > 1:
            x = F.pixel_shuffle(x, config.stem_stride)
        # The painted pixels are added to the moved ones. A gate between the two learns within a
        # few hundred steps to use the moved ones alone, and the network never learns to paint.
        return {"image": moved + x, "warped": moved, **dense}

    def _with_lines(self, parts: list[Tensor], driving: Motion, side: int) -> Tensor:
        if self.config.landmark_prior:
            parts = [*parts, self.drawing(driving["points"], side)]
        return torch.cat(parts, 1) if len(parts) > 1 else parts[0]


def _unshuffle(x: Tensor, stride: int) -> Tensor:
    return F.pixel_unshuffle(x, stride) if stride > 1 else x
