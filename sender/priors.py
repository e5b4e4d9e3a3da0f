"""Structural priors of AVFR-GAN's five-channel detector (section 3): mesh and person mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..codec.errors import MissingExtraError
from .tracker import Segmenter

__all__ = ["PriorMaker", "Priors", "draw_mesh", "mesh_edges"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
_SHIFT = 4  # fractional bits of the line ends: the drawing moves by less than a pixel


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

    def close(self) -> None:
        """Free the network."""
        self._segmenter.close()


@lru_cache(maxsize=1)
def mesh_edges() -> npt.NDArray[np.int32]:
    """MediaPipe's tessellation of the face: pairs of landmarks, `[E, 2]`, each edge once.

    Raises:
        MissingExtraError: mediapipe is not installed.
    """
    try:
        from mediapipe.tasks.python.vision import FaceLandmarksConnections
    except ImportError as error:
        raise MissingExtraError("the face mesh", "encode") from error
    pairs = FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION
    edges = {(min(p.start, p.end), max(p.start, p.end)) for p in pairs}
    return np.array(sorted(edges), np.int32)


def draw_mesh(landmarks: Points, height: int, width: int) -> npt.NDArray[np.float32]:
    """The mesh as antialiased lines, float32 `[height, width]` on [0, 1].

    Args:
        landmarks: float32 `[478, 2]` on [-1, 1]; -1 and 1 are the picture's edges.
        height: pixels.
        width: pixels.
    """
    import cv2

    scale = np.array([width, height], np.float32) / 2
    # Pixel centres lie at halves; far-off points would overflow OpenCV's fixed point.
    pixels = np.clip((landmarks + 1) * scale - 0.5, -4 * width, 4 * width)
    fixed = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
    canvas = np.zeros((height, width), np.uint8)
    segments = list(fixed[mesh_edges()])
    cv2.polylines(canvas, segments, False, 255, 1, cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas / 255, np.float32)
