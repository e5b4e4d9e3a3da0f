"""Structural priors of AVFR-GAN's five-channel detector (section 3): mesh and person mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..face.tessellation import draw_mesh
from .segmenter import Segmenter

__all__ = ["PriorMaker", "Priors"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Priors:
    """The two channels beside RGB.

    Attributes:
        mesh: float32 `[H, W]`, the face mesh as lines, 0 to 1; zeros without a face.
        person: float32 `[H, W]`, 1 where the person is.
    """

    mesh: npt.NDArray[np.float32]
    person: npt.NDArray[np.float32]

    def stack(self, picture: Frame) -> npt.NDArray[np.float32]:
        """The detector's input, float32 `[5, H, W]`: RGB on [0, 1], mesh, person."""
        colours = picture.astype(np.float32).transpose(2, 0, 1) / 255
        return np.concatenate([colours, self.mesh[None], self.person[None]])


class PriorMaker:
    """Makes the priors of crops; holds the segmentation network."""

    def __init__(self) -> None:
        self._segmenter = Segmenter()

    def make(self, picture: Frame, landmarks: Points | None) -> Priors:
        """Priors of a crop.

        Args:
            picture: uint8 RGB `[H, W, 3]`.
            landmarks: float32 `[478, 2]` on [-1, 1] of the crop; None where no face was found.
        """
        height, width = picture.shape[:2]
        mesh = np.zeros((height, width), np.float32)
        if landmarks is not None:
            mesh = draw_mesh(landmarks, height, width)
        return Priors(mesh, np.clip(self._segmenter.segment(picture), 0, 1))
