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
        steady_gaze: float32 `[2]`, where the eyes go on to look: it is held through a blink, and a
            portrait's eyes move as those of the face do. None if the landmarks say it.
    """

    picture: npt.NDArray[np.uint8]
    landmarks: npt.NDArray[np.float32]
    seconds: float = 0.0
    steady: npt.NDArray[np.float32] | None = None
    depth: npt.NDArray[np.float32] | None = None
    steady_gaze: npt.NDArray[np.float32] | None = None

    @property
    def gaze(self) -> npt.NDArray[np.float32]:
        """Where motion takes the eyes: float32 `[2]` on [-1, 1], right and down (`gaze_of`)."""
        return gaze_of(self.landmarks) if self.steady_gaze is None else self.steady_gaze
