"""Which tracker is used: `open_tracker` makes one by its name."""

from __future__ import annotations

from typing import Literal

from .finder import FaceTracker
from .tracker import Tracker

__all__ = ["TRACKERS", "TrackerName", "open_tracker"]

TrackerName = Literal["openvino", "mediapipe"]
TRACKERS: tuple[TrackerName, ...] = ("openvino", "mediapipe")


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
