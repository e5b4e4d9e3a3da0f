"""Which face tracker is used: `open_tracker` makes one by name, `LateTracker` when needed."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .finder import FaceTracker
from .tracker import Face, Tracker

__all__ = ["TRACKERS", "LateTracker", "TrackerName", "open_tracker"]

TrackerName = Literal["openvino", "mediapipe"]
TRACKERS: tuple[TrackerName, ...] = get_args(TrackerName)


def open_tracker(name: TrackerName, *, still: bool = False) -> FaceTracker:
    """Make a face tracker.

    Args:
        name: "openvino" is facewire's own; "mediapipe" is MediaPipe's, whose newer releases report
            to Google while they track.
        still: look at each picture for itself; they need not follow each other.

    Raises:
        WeightsError: the tracker's model is missing, or cannot be run.
        MissingExtraError: OpenCV or mediapipe is not installed.
    """
    if name == "mediapipe":
        from .mediapipe_tracker import MediaPipeTracker

        return MediaPipeTracker(still=still)
    return Tracker(still=still)


class LateTracker:
    """A face tracker that is opened when it is needed, since that takes a second or more.

    Args:
        name, still: see `open_tracker`.
    """

    def __init__(self, name: TrackerName, *, still: bool = False) -> None:
        self._name, self._still = name, still
        self._tracker: FaceTracker | None = None

    def open(self) -> FaceTracker:
        """The tracker; errors as of `open_tracker`."""
        if self._tracker is None:
            self._tracker = open_tracker(self._name, still=self._still)
        return self._tracker

    def track(self, frame: npt.NDArray[np.uint8], time_ms: int | None = None) -> list[Face]:
        """Faces of one picture in its pixels, largest first."""
        return self.open().track(frame, time_ms)

    def close(self) -> None:
        """Free it; it is opened again if need be."""
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None
