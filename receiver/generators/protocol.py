"""What runs a network: the interface of a generator, and how one is loaded.

A generator computes what depends on the keyframe alone once (`set_source`), and then one picture
a frame (`render`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError
from ...codec.motion.frame import MotionFrame
from ...models.mel import MEL_BANDS, MEL_STEPS, SILENCE

if TYPE_CHECKING:
    pass

__all__ = [
    "Generator",
    "Source",
    "from_picture",
    "mel_or_silence",
    "to_picture",
]

Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A keyframe made ready: its numbers and points, and what the runtime computed of it."""

    numbers: Array
    points: Array
    features: Any


class Generator(Protocol):
    """Animates a keyframe; one object serves one stream at a time."""

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """Make a keyframe ready, once.

        Args:
            rgb: uint8 `[256, 256, 3]`.
            motion: of the keyframe itself.
            points: float32 `[P, 2]` on [-1, 1], the keyframe's landmarks (`models.shape`).
        """

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """Landmarks of a frame, float32 `[P, 2]`: the keyframe's, moved as its numbers say."""

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """One frame.

        Args:
            motion: of the frame to show.
            mel: float32 `[80, 20]` (`models.mel`), None for silence.

        Returns:
            uint8 RGB `[256, 256, 3]`.
        """


def from_picture(rgb: Frame, size: int) -> Array:
    """uint8 `[size, size, 3]` → float32 `[1, 3, size, size]` on [0, 1].

    Raises:
        ConfigError: another shape or type.
    """
    if rgb.shape != (size, size, 3) or rgb.dtype != np.uint8:
        raise ConfigError(f"this network's pictures are uint8 [{size}, {size}, 3], not {rgb.shape}")
    return np.ascontiguousarray(rgb.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def to_picture(image: Array) -> Frame:
    """float32 `[3, H, W]` on [0, 1] → uint8 `[H, W, 3]`."""
    rounded = (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(1, 2, 0))


def mel_or_silence(mel: Array | None) -> Array:
    """float32 `[80, 20]`, or None for silence → `[1, 1, 80, 20]`."""
    if mel is None:
        return np.full((1, 1, MEL_BANDS, MEL_STEPS), SILENCE, np.float32)
    return np.ascontiguousarray(mel, np.float32)[None, None]
