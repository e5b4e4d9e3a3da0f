"""`CutDetector`: tells a new scene from a moving head."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .crop import resize

__all__ = ["CutDetector"]

_THUMBNAIL = 16  # side in pixels
_CUT = 30.0  # mean change of the thumbnail in grey levels; a turning head makes 3 to 10


class CutDetector:
    """Finds scene cuts by comparing thumbnails of successive frames; one a stream."""

    def __init__(self) -> None:
        self._last: npt.NDArray[np.float32] | None = None

    def push(self, frame: npt.NDArray[np.uint8]) -> bool:
        """Whether this frame, uint8 `[H, W, 3]`, begins another scene than the one before.

        Frames may change their size; that alone is no cut.
        """
        step = max(1, min(frame.shape[:2]) // 128)  # a large frame needs only every n-th pixel
        grey = resize(frame[::step, ::step], _THUMBNAIL, _THUMBNAIL).mean(axis=2, dtype=np.float32)
        last, self._last = self._last, grey
        return last is not None and float(np.abs(grey - last).mean()) > _CUT
