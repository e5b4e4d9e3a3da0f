"""`MultiFaceReenactor` and the whole network of APB2FaceV2 (section 3, equation 3)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...codec.errors import ConfigError
from ..apb2face.layers import ResidualBlock, decoder, encoder, to_unit
from ..face.canonical import CanonicalFace
from ..face.mesh import POINTS
from ..face.table import FaceTable
from .adaconv import AdaConv
from .fuser import F_GEO, AudioAwareFuser

__all__ = ["NAME", "Apb2FaceV2", "MultiFaceReenactor", "ReenactorV2Config"]

NAME = "apb2face-v2"
"""The name that a stream carries."""


@dataclass(frozen=True)
class ReenactorV2Config:
    """Shape of the network.

    The paper gives 9 blocks, the kernel and the group of AdaConv, and 4.085 M parameters. It does
    not give widths; it calls its layers a modified lightweight network. Here those widths are the
    usual 64, 128 and 256, convolutions of the blocks are separable, and `hidden` takes what is left
    of the parameters.

    Attributes:
        name: always `NAME`.
        size: pictures are `size` x `size`.
        channels: of the first layer; the blocks have four times as many.
        blocks: number of blocks, each followed by an AdaConv.
        kernel, group: k and Cg of AdaConv.
        hidden: width between the two linear layers of an AdaConv.
    """

    name: str = NAME
    size: int = 256
    channels: int = 64
    blocks: int = 9
    kernel: int = 3
    group: int = 1
    hidden: int = 12

    def __post_init__(self) -> None:
        if self.size % 4 or self.size < 16 or min(self.channels, self.blocks, self.hidden) < 1:
            raise ConfigError(
                "a reenactor's size is a multiple of 4 from 16 on, and it has channels, blocks and "
                "a hidden width"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class MultiFaceReenactor(nn.Module):
    """Draws whoever the reference face shows, with the geometry of a vector."""

    def __init__(self, config: ReenactorV2Config) -> None:
        super().__init__()
        width = 4 * config.channels
        self.encoder = encoder(3, config.channels)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, separable=True) for _ in range(config.blocks)
        )
        self.injections = nn.ModuleList(
            AdaConv(F_GEO, width, kernel=config.kernel, group=config.group, hidden=config.hidden)
            for _ in range(config.blocks)
        )
        self.decoder = decoder(config.channels)

    def encode(self, reference: Tensor) -> Tensor:
        """Reference faces `[B, 3, S, S]` on [0, 1] → features, once for each keyframe."""
        features: Tensor = self.encoder(2 * reference - 1)
        return features

    def forward(self, features: Tensor, f_geo: Tensor) -> Tensor:
        """Make pictures.

        Args:
            features: of the reference faces, from `encode`.
            f_geo: `[B, 256]`.

        Returns:
            RGB `[B, 3, S, S]` on [0, 1].
        """
        for block, inject in zip(self.blocks, self.injections, strict=True):
            features = inject(block(features), f_geo)
        return to_unit(self.decoder(features))


class Apb2FaceV2(nn.Module):
    """Fuser and reenactor.

    Args:
        config: see there.
        face: the table by which receivers rebuild landmarks (`models.face.landmarks`).
        head: the canonical face by which receivers measure the pose (`apb2face.received.head_of`);
            None for weights that are loaded afterwards.
    """

    head_points: Tensor
    head_weights: Tensor

    def __init__(
        self, config: ReenactorV2Config, face: FaceTable, head: CanonicalFace | None = None
    ) -> None:
        super().__init__()
        self.config, self.face = config, face
        self.fuser = AudioAwareFuser()
        self.reenactor = MultiFaceReenactor(config)
        points, weights = torch.zeros(len(POINTS), 3), torch.zeros(len(POINTS))
        if head is not None:
            points = torch.from_numpy(head.points).float()
            weights = torch.from_numpy(head.weights).float()
        self.register_buffer("head_points", points)
        self.register_buffer("head_weights", weights)

    def forward(
        self, reference: Tensor, sound: Tensor, pose: Tensor, blink: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Pictures and what the Fuser says of their landmarks.

        Args:
            reference: RGB `[B, 3, S, S]` on [0, 1], each of the person to draw.
            sound, pose, blink: see `AudioAwareFuser.forward`.

        Returns:
            `[B, 3, S, S]` on [0, 1], and `[B, 106, 2]` on [-1, 1].
        """
        f_geo = self.fuser(sound, pose, blink)
        return self.reenactor(self.reenactor.encode(reference), f_geo), self.fuser.landmarks(f_geo)
