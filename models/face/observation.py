"""`Observation`: the face that a tracker found in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .gaze import gaze_of

__all__ = ["Observation"]


@dataclass(frozen=True, slots=True)
class Observation:
    """A frame in which the face was found.

    Attributes:
        picture: the crop, uint8 RGB `[size, size, 3]`.
        landmarks: float32 `[478, 2]` on [-1, 1] of the crop.
        seconds: presentation time.
        steady: where motion goes: the landmarks smoothed over time, or those of a portrait that
            moves as the face does; None if they are `landmarks`.
        depth: float32 `[478]` in the landmarks' unit, smaller is nearer; None if the tracker gave
            none.
        look: float32 `[2]`, where the eyes look, if that is not what the landmarks say: it is held
            through a blink, and a portrait's eyes move as those of the face do.
    """

    picture: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    seconds: float = 0.0
    steady: npt.NDArray[np.float32] | None = None
    depth: npt.NDArray[np.float32] | None = None
    look: npt.NDArray[np.float32] | None = None

    @property
    def gaze(self) -> npt.NDArray[np.float32]:
        """Where the eyes look: float32 `[2]` on [-1, 1], right and down (`gaze_of`)."""
        return gaze_of(self.landmarks) if self.look is None else self.look
