"""The face mesh drawn as a picture: an input of AVFR-GAN's detector (section 3)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError

__all__ = ["draw_mesh", "mesh_edges"]

Points = npt.NDArray[np.float32]
_SHIFT = 4  # fractional bits of the line ends, so that lines can move by less than a pixel


@lru_cache(maxsize=1)
def mesh_edges() -> npt.NDArray[np.int32]:
    """Edges of MediaPipe's face mesh as pairs of landmarks, `[E, 2]`, each edge once.

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
    """Draw the mesh as antialiased lines, float32 `[height, width]` on [0, 1].

    Args:
        landmarks: float32 `[478, 2]` on [-1, 1]; -1 and 1 are the picture's edges.
        height: pixels.
        width: pixels.
    """
    import cv2

    scale = np.array([width, height], np.float32) / 2
    # Pixel centres lie at halves. Points far outside would overflow OpenCV's fixed point.
    pixels = np.clip((landmarks + 1) * scale - 0.5, -4 * width, 4 * width)
    fixed = np.round(pixels * (1 << _SHIFT)).astype(np.int32)
    canvas = np.zeros((height, width), np.uint8)
    segments = list(fixed[mesh_edges()])
    cv2.polylines(canvas, segments, False, 255, 1, cv2.LINE_AA, _SHIFT)
    return np.asarray(canvas / 255, np.float32)
