"""What a `Decoder` gives out: pictures and pieces of sound."""

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
        frame: uint8 RGB `[H, W, 3]`. Do not write into it: a picture that is shown again is the
            same array.
        pts: presentation time in seconds. The times of successive pictures rise.
        concealed: the receiver made this picture up, because what belongs here was lost or
            damaged.
        wants_keyframe: the sender should send a keyframe now (`Encoder.request_keyframe`), because
            the keyframe that the motion refers to never came. Before the first picture,
            `Statistics.wants_keyframe` says the same.
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
        pts: presentation time of the first sample, in seconds. The times of successive pieces
            rise. Sound comes before the pictures of the same time, because these wait for it.
        concealed: Opus made this sound up in place of a packet that was lost or damaged.
        pause: nobody speaks; this is the noise of a quiet room. A sender does not send silence, and
            says only after a while that there is some, so this sound may come late.
    """

    pcm: npt.NDArray[np.float32]
    pts: Fraction
    concealed: bool = False
    pause: bool = False


Output: TypeAlias = PictureOutput | SoundOutput
"""What `Decoder.decode` gives; `isinstance` tells the two apart."""
