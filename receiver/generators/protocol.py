"""`Generator` and `Fuser`: the interfaces of whatever runs a network.

A generator computes once what depends on the keyframe only (`set_source`), and then one picture for
each frame (`render`). A fuser makes one picture of that one and the base layer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError
from ...codec.motion.frame import MotionFrame
from ...models.mel import MEL_BANDS, MEL_STEPS, SILENCE

__all__ = [
    "Fuser",
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
    """A prepared keyframe.

    Attributes:
        numbers: its motion, float32 `[10, 6]`.
        points: its landmarks, float32 `[P, 2]` on [-1, 1].
        features: what the generator computed from it; only that generator can read it.
    """

    numbers: Array
    points: Array
    features: Any


class Generator(Protocol):
    """Animates keyframes. One object serves one stream at a time, and is called from one thread at
    a time unless it was made for more (`DecoderConfig.parallel`).

    A network that shows where the eyes look gets that with the motion. Others leave it out.
    """

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """Prepare a keyframe, once.

        Args:
            rgb: uint8 `[256, 256, 3]`.
            motion: the motion of the keyframe itself, with its gaze.
            points: float32 `[P, 2]` on [-1, 1], the landmarks of the keyframe
                (`models.face.shape`).

        Raises:
            ConfigError: the picture has another size than the network makes.
        """

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """Landmarks of a frame, float32 `[P, 2]`: those of the keyframe, moved by the motion."""

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """Make the picture of a frame.

        Args:
            source: the keyframe to animate, from `set_source`.
            motion: the motion of the frame to show.
            mel: float32 `[80, 20]` (`models.mel`), None for silence.

        Returns:
            uint8 RGB `[256, 256, 3]`.
        """


class Fuser(Protocol):
    """Makes one picture of a generated one and one of the base layer. As many threads may call it
    at the same time as may call the generator.
    """

    def fuse(
        self, generated: Frame, base: Frame, points: Array, *, age: int = 0, trust: float = 1.0
    ) -> Frame:
        """Fuse a frame.

        Args:
            generated: uint8 `[H, W, 3]`, what the generator made.
            base: uint8 `[H, W, 3]`, the newest picture of the base layer.
            points: float32 `[P, 2]` on [-1, 1], the landmarks of the frame (`Generator.points`).
            age: frames since the picture of the base was coded.
            trust: how much of the fused picture is shown, from 0 (the generated picture) to 1.

        Returns:
            uint8 RGB `[H, W, 3]`.
        """


def from_picture(rgb: Frame, size: int) -> Array:
    """uint8 `[size, size, 3]` → float32 `[1, 3, size, size]` on [0, 1].

    Raises:
        ConfigError: the picture has another shape or type.
    """
    if rgb.shape != (size, size, 3) or rgb.dtype != np.uint8:
        raise ConfigError(
            f"this network's pictures are uint8 [{size}, {size}, 3], not {rgb.dtype} {rgb.shape}"
        )
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
