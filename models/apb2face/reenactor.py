"""`FaceReenactor`: from the landmark picture to the face of one person (equation 5)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from ...codec.errors import ConfigError
from ..face.table import FaceTable
from .layers import ResidualBlock, decoder, encoder, to_unit

__all__ = ["NAME", "FaceReenactor", "ReenactorConfig"]

NAME = "apb2face"
"""The name that a stream carries."""


@dataclass(frozen=True)
class ReenactorConfig:
    """Shape of a reenactor.

    The paper gives neither layers nor widths, but 16.7 M parameters together with the predictor.
    Twelve blocks of Pix2Pix's residual generator come nearest to that.

    Attributes:
        name: always `NAME`.
        size: pictures are `size` x `size`.
        channels: of the first layer; the blocks have four times as many.
        blocks: number of residual blocks.
    """

    name: str = NAME
    size: int = 256
    channels: int = 64
    blocks: int = 12

    def __post_init__(self) -> None:
        if self.size % 4 or self.size < 16 or min(self.channels, self.blocks) < 1:
            raise ConfigError(
                "a reenactor's size is a multiple of 4 from 16 on, and it has channels and blocks"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class FaceReenactor(nn.Module):
    """Draws one person; whom, its weights have learned.

    Args:
        config: see there.
        face: the table by which receivers rebuild landmarks (`models.face.landmarks`).
    """

    def __init__(self, config: ReenactorConfig, face: FaceTable) -> None:
        super().__init__()
        self.config, self.face = config, face
        self.encoder = encoder(1, config.channels)
        self.blocks = nn.Sequential(
            *(ResidualBlock(4 * config.channels) for _ in range(config.blocks))
        )
        self.decoder = decoder(config.channels)

    def forward(self, drawing: Tensor) -> Tensor:
        """Make pictures.

        Args:
            drawing: landmark pictures `[B, 1, S, S]`, 0 or 1 (`drawing.draw_landmarks`).

        Returns:
            RGB `[B, 3, S, S]` on [0, 1].
        """
        return to_unit(self.decoder(self.blocks(self.encoder(drawing))))
