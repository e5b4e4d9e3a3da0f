"""What a `Decoder` gives: pictures and pieces of sound."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Frame", "Output", "PictureOutput", "SoundOutput"]

Frame = npt.NDArray[np.uint8]
"""uint8 RGB `[H, W, 3]`."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureOutput:
    """One picture.

    Attributes:
        frame: uint8 RGB `[H, W, 3]`. Do not write into it: a picture that is held shares it.
        pts: presentation time in seconds. Pictures come in rising order.
        concealed: whether the receiver made the picture up, because what should be here was lost
            or damaged.
        wants_keyframe: whether the sender should send a keyframe now
            (`Encoder.request_keyframe`), since the one that the motion refers to never came. As
            long as no picture was ever shown, `Statistics.wants_keyframe` says the same.
    """

    frame: Frame
    pts: Fraction
    concealed: bool = False
    wants_keyframe: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SoundOutput:
    """One piece of sound.

    Attributes:
        pcm: float32 mono `[n]` on [-1, 1] at the stream's sample rate (16 kHz).
        pts: presentation time of the first sample, in seconds. Sound comes in rising order, and
            ahead of the pictures, which wait for it.
        concealed: whether Opus made the sound up in place of a packet that was lost or damaged.
    """

    pcm: npt.NDArray[np.float32]
    pts: Fraction
    concealed: bool = False


Output: TypeAlias = PictureOutput | SoundOutput
"""What `Decoder.decode` gives: `isinstance` tells which of the two it is."""
