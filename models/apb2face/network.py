"""`GeometryPredictor` and its discriminator, as the paper has them (section 4, equation 3)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .landmarks import COUNT

__all__ = ["GeometryPredictor", "LandmarkDiscriminator", "begin", "scaled"]

_CHANNELS = (72, 108, 162, 243, 256)
_FEATURES = (256, 64, 64)  # of sound, pose and blinks
_SLOPE = 0.2  # of the leaky ReLUs
_SPREAD = 0.1  # radians of a head's angles, and height over width of an eye, about
_FIRST = 0.01  # of the last layer's weights: the first landmarks are about the same for all
_OPEN = 0.3  # height over width of an open eye, about
_MOVED = 0.04  # how far a landmark moves about its mean on [-1, 1], roughly


def scaled(pose: Tensor, blink: Tensor) -> tuple[Tensor, Tensor]:
    """Pose and blinks about 0 and with a spread of about 1, as the sound has; see `begin`."""
    return pose / _SPREAD, (blink - _OPEN) / _SPREAD


def begin(network: nn.Module) -> None:
    """Give layers weights that keep the size of a signal (He et al. 2015).

    With torch's own beginning, ten convolutions leave a ten-thousandth of how the sound varies, so
    that it is hardly learned from. Unscaled, pose and blinks vary several times less than sound.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, _SLOPE)


class GeometryPredictor(nn.Module):
    """Sound, head pose and blinks to the 106 landmarks of one person, or of a few.

    Five convolutions along the features of each time step, five along time, four linear layers on
    the pose, three on the blinks, and two to the landmarks. The paper leaves widths, activations
    and initialisation open; where it does, all linear layers are as wide as their part's feature,
    the activation is a leaky ReLU, and the weights begin as He et al. (ICCV 2015) say.
    """

    def __init__(self) -> None:
        super().__init__()
        sound, pose, blink = _FEATURES
        across: list[nn.Module] = []
        channels = 1
        for width in _CHANNELS:
            across += [nn.Conv2d(channels, width, (1, 3), (1, 2), (0, 1)), nn.LeakyReLU(0.2)]
            channels = width
        along: list[nn.Module] = []
        for kernel, pad in ((3, 1),) * 4 + ((4, 0),):
            along += [nn.Conv2d(channels, channels, (kernel, 1), (2, 1), (pad, 0))]
            along += [nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*across)
        self.time = nn.Sequential(*along)
        self.sound = nn.Linear(2 * channels, sound)  # 60 features have become 2
        self.pose = _linear(3, pose, 4)
        self.blink = _linear(2, blink, 3)
        self.geometry = nn.Sequential(
            nn.Linear(sum(_FEATURES), sound), nn.LeakyReLU(0.2), nn.Linear(sound, 2 * COUNT)
        )
        begin(self)
        with torch.no_grad():
            cast(nn.Linear, self.geometry[-1]).weight.mul_(_FIRST)

    def forward(self, sound: Tensor, pose: Tensor, blink: Tensor) -> Tensor:
        """Predict landmarks.

        Args:
            sound: MFCC features around the frame, `[B, 1, 64, 60]` (`features.mfcc_window`).
            pose: yaw, pitch and roll in radians, `[B, 3]`.
            blink: height over width of the right and the left eye, `[B, 2]`.

        Returns:
            `[B, 106, 2]` in coordinates of the picture, on [-1, 1].
        """
        heard = self.sound(self.time(self.features(sound)).flatten(1))
        pose, blink = scaled(pose, blink)
        fused = torch.cat([heard, self.pose(pose), self.blink(blink)], 1)
        landmarks: Tensor = self.geometry(fused).reshape(-1, COUNT, 2)
        return landmarks


class LandmarkDiscriminator(nn.Module):
    """Seven linear layers that tell landmarks of people from predicted ones (equation 4).

    They see how far each landmark is from its mean, with a spread of about 1. All faces are nearly
    the same beside what a face looks like at all: without this, and with torch's own weights, the
    verdict on all of them is the same to three decimals, and is hardly learned.

    Args:
        mean: the mean landmarks, `[106, 2]` on [-1, 1].
    """

    WIDTHS = (512, 512, 256, 256, 128, 64, 1)
    mean: Tensor

    def __init__(self, mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        layers: list[nn.Module] = []
        width = 2 * COUNT
        for following in self.WIDTHS:
            layers += [nn.Linear(width, following), nn.LeakyReLU(0.2)]
            width = following
        self.layers = nn.Sequential(*layers[:-1])
        begin(self)

    def forward(self, landmarks: Tensor) -> Tensor:
        """Landmarks `[B, 106, 2]` on [-1, 1] → `[B]`, above 0 where they look real."""
        moved = (landmarks - self.mean) / _MOVED
        score: Tensor = self.layers(moved.flatten(1)).squeeze(1)
        return score


def _linear(inputs: int, width: int, layers: int) -> nn.Sequential:
    found: list[nn.Module] = []
    for _ in range(layers):
        found += [nn.Linear(inputs, width), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*found)
