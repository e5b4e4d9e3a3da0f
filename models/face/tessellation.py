"""The face mesh drawn as a picture: an input of AVFR-GAN's detector (section 3)."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError

__all__ = ["draw_mesh", "mesh_edges"]

Points = npt.NDArray[np.float32]
_SHIFT = 4  # fractional bits of the line ends, so that lines can move by less than a pixel


@lru_cache(maxsize=1)
def mesh_edges() -> npt.NDArray[np.int32]:
    """MediaPipe's tessellation of the face: pairs of landmarks, `[1322, 2]`, each edge once.

    The pairs are those of `FaceLandmarksConnections.FACE_LANDMARKS_TESSELATION` (Apache-2.0), kept
    in `tessellation.npz`, because networks were trained on the mesh that they draw.
    """
    with np.load(Path(__file__).with_suffix(".npz")) as data:
        return np.asarray(data["edges"], np.int32)


def draw_mesh(landmarks: Points, height: int, width: int) -> npt.NDArray[np.float32]:
    """Draw the mesh as antialiased lines, float32 `[height, width]` on [0, 1].

    Args:
        landmarks: float32 `[478, 2]` on [-1, 1]; -1 and 1 are the picture's edges.
        height: pixels.
        width: pixels.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("drawing the face mesh", "encode") from error

    scale = np.array([width, height], np.float32) / 2
    # Pixel centres lie at halves. Points far outside would overflow OpenCV's fixed point.
    pixels = np.clip((landmarks + 1) * scale - 0.5, -4 * width, 4 * width)
    fixed = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
    canvas = np.zeros((height, width), np.uint8)
    segments = list(fixed[mesh_edges()])
    cv2.polylines(canvas, segments, False, 255, 1, cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas / 255, np.float32)
