"""`AudioAwareFuser`: sound, head pose and blinks to one vector, f_Geo (section 3, equation 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..apb2face.landmarks import COUNT
from ..apb2face.network import GeometryPredictor, begin, scaled

__all__ = ["F_GEO", "AudioAwareFuser"]

F_GEO = 256
"""Length of the vector."""
_PATHS = 256 + 64 + 64  # features of sound, pose and blinks, as in the predictor


class AudioAwareFuser(nn.Module):
    """The paths are those of APB2Face's predictor, with three linear layers on the pose."""

    def __init__(self) -> None:
        super().__init__()
        paths = GeometryPredictor()
        self.features, self.time, self.sound = paths.features, paths.time, paths.sound
        self.pose = paths.pose[:-2]  # of four linear layers, each with its activation
        self.blink = paths.blink
        self.fuse = nn.Sequential(
            nn.Linear(_PATHS, F_GEO), nn.LeakyReLU(0.2), nn.Linear(F_GEO, F_GEO)
        )
        self.geometry = nn.Linear(F_GEO, 2 * COUNT)
        begin(self)

    def forward(self, sound: Tensor, pose: Tensor, blink: Tensor) -> Tensor:
        """The vector.

        Args:
            sound: MFCC features around the frame, `[B, 1, 64, 60]` (`inputs.sound_of`).
            pose: yaw, pitch and roll in radians, `[B, 3]`.
            blink: height over width of the right and the left eye, `[B, 2]`.

        Returns:
            `[B, 256]`, of length 1.
        """
        heard = self.sound(self.time(self.features(sound)).flatten(1))
        pose, blink = scaled(pose, blink)
        fused = torch.cat([heard, self.pose(pose), self.blink(blink)], 1)
        return F.normalize(self.fuse(fused), dim=1)

    def landmarks(self, f_geo: Tensor) -> Tensor:
        """What the vector says of the landmarks, which only training asks for.

        Args:
            f_geo: `[B, 256]`.

        Returns:
            `[B, 106, 2]` on [-1, 1].
        """
        found: Tensor = self.geometry(f_geo).reshape(-1, COUNT, 2)
        return found
