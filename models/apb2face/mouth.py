"""`MouthNet`: our geometry predictor, for people whom it never saw.

The paper's predictor draws the whole face of people it knows. In a call the face is known from the
keyframe, and head and eyes from 80 bits a frame; what sound has to tell is how the mouth moves. So
this network predicts the movement of the mouth in head coordinates, relative to the person's
average mouth, as a few principal components. One causal trunk hears the sound step by step. A frame
is predicted from the trunk's state at the frame, or 40 or 100 ms later, each by a head of its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...codec.errors import WeightsError
from ..face.head import INNER_LIPS, MOUTH_POINTS
from ..mel import MEL_BANDS
from .sound import LOOKAHEADS, PAST

__all__ = ["NAME", "MouthConfig", "MouthNet"]

NAME = "apb2face-geometry"
_HOP = 2  # steps of sound for each step of the trunk
_FRAME = 4  # steps of sound for each frame, at 25 frames a second


@dataclass(frozen=True, slots=True)
class MouthConfig:
    """Shape of the network.

    Attributes:
        channels: of the trunk.
        blocks: of the trunk; each sees twice as far back as the one before.
        dropout: probability, in training.
        components: principal components of the mouth.
    """

    channels: int = 64
    blocks: int = 4
    dropout: float = 0.2
    components: int = 6

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for the metadata of a safetensors file."""
        return {"name": NAME, "variant": "unseen", **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Inverse of `to_dict`. Raises `WeightsError` for another kind of network."""
        try:
            if (values["name"], values["variant"]) != (NAME, "unseen"):
                raise ValueError(f"it is {values['name']!r}, {values.get('variant')!r}")
            return cls(
                int(values["channels"]),
                int(values["blocks"]),
                float(values["dropout"]),
                int(values["components"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"these are not weights of a mouth predictor: {error}") from error


class MouthNet(nn.Module):
    """See the docstring of this module.

    Attributes:
        basis: buffer `[K, 80]`, movement of the 40 points for each component, in head coordinates.
        level: buffer `[80]`, the usual level of voices (`sound.Level`).
        neutral_mean, neutral_map: buffers `[80]` and `[80, 80]`: a person's average mouth from one
            mouth of that person.
    """

    basis: Tensor
    level: Tensor
    neutral_mean: Tensor
    neutral_map: Tensor

    def __init__(self, config: MouthConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MouthConfig()
        width, flat = config.channels, 2 * MOUTH_POINTS
        self.enter = nn.Conv1d(MEL_BANDS, width, 2 * _HOP, _HOP)
        self.blocks = nn.Sequential(
            *(_Block(width, 2**n, config.dropout) for n in range(config.blocks))
        )
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(config.dropout),
                nn.Linear(width, width),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(width, config.components),
            )
            for _ in LOOKAHEADS
        )
        self.register_buffer("basis", torch.zeros(config.components, flat))
        self.register_buffer("level", torch.zeros(MEL_BANDS))
        self.register_buffer("neutral_mean", torch.zeros(flat))
        self.register_buffer("neutral_map", torch.eye(flat))

    def forward(self, sound: Tensor, frames: int = 1) -> Tensor:
        """Components of consecutive frames at 25 frames a second.

        Args:
            sound: log-mel less its level, `[B, PAST + 4 (frames - 1) + AHEAD, 80]`; the window of
                the first frame (`sound.sound_window`), and four more steps for each later one.
            frames: how many.

        Returns:
            `[B, look-aheads, frames, K]`, in units in which a talking mouth has a spread of about
            one.
        """
        states = self.states(sound, frames)
        made = [head(states[:, n]) for n, head in enumerate(self.heads)]
        return torch.stack(made, 1)

    def states(self, sound: Tensor, frames: int = 1) -> Tensor:
        """What the heads are given, `[B, look-aheads, frames, C]`; arguments as of `forward`."""
        x = F.pad(sound.transpose(1, 2), (_HOP, 0))
        x = self.blocks(F.gelu(self.enter(x))).transpose(1, 2)
        first = [(PAST + ms // 10) // _HOP - 1 for ms in LOOKAHEADS]
        last = (frames - 1) * (_FRAME // _HOP) + 1
        return torch.stack([x[:, start : start + last : _FRAME // _HOP] for start in first], 1)

    def movement(self, components: Tensor) -> Tensor:
        """Components `[..., K]` → movement of the mouth `[..., 40, 2]` in head coordinates."""
        moved = components @ self.basis
        return moved.reshape(*moved.shape[:-1], MOUTH_POINTS, 2)

    def opening(self, components: Tensor) -> Tensor:
        """How much farther than on average the inner lips are apart: `[..., K]` → `[...]`."""
        upper, lower = INNER_LIPS
        return components @ (self.basis[:, 2 * lower + 1] - self.basis[:, 2 * upper + 1])


class _Block(nn.Module):
    """A causal, dilated convolution beside an identity."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.reach = 2 * dilation
        self.look = nn.Conv1d(width, width, 3, dilation=dilation)
        self.mix = nn.Conv1d(width, width, 1)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """`[B, C, T]` → the same shape; no output depends on a later input."""
        seen = self.look(F.pad(x, (self.reach, 0)))
        mixed: Tensor = self.mix(self.drop(F.gelu(seen)))
        return x + mixed
