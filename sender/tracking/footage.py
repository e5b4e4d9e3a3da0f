"""`TrackedFootage`: a video as the sender sees it, for training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...models.face.observation import Observation
from .capture import Capture
from .observer import Observer
from .tracker import Tracker

__all__ = ["TrackedFootage"]


class TrackedFootage:
    """A video of one person, tracked and cropped exactly as the encoder does it.

    Args:
        path: a video file.
        size: side of the crops in pixels.

    Attributes:
        fps: frames a second.

    Raises:
        NotAVideoError, MediaError: the file cannot be read.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._capture, self._size = Capture(path), size
        self.fps = float(self._capture.info.timing.fps)

    def frames(self) -> Iterator[tuple[float, Observation | None]]:
        """Of each frame, its time in seconds and what is seen (None: no face). The frames end at
        the first change of scene or person.
        """
        with Tracker() as tracker:
            observer = Observer(tracker, self._size)
            for frame, pts in self._capture.frames():
                seen, changed = observer.observe(frame, 1 / self.fps, round(pts * 1000))
                if changed:
                    return
                yield float(pts), seen

    def sound(self) -> Iterator[npt.NDArray[np.float32]]:
        """Pieces of the sound, float32 mono at 16 kHz; none where the video has no sound."""
        return self._capture.sound()
