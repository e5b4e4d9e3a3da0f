"""`Observer`: a frame of any size to the crop and the landmarks of the person that is followed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError
from .crop import Cropper, cut, resize, to_picture
from .faces import CutDetector, Follower
from .keypoints import Observation
from .tracker import Face, Tracker

__all__ = ["TRACKED_SIDE", "Observer"]

Frame = npt.NDArray[np.uint8]

TRACKED_SIDE = 1280
"""Longest side of the picture that is tracked; the crop is cut from the whole frame."""
_SMALLEST = 16


class Observer:
    """Tracks, follows and crops; one a stream.

    Args:
        tracker: finds faces.
        size: side of the crop in pixels.
    """

    def __init__(self, tracker: Tracker, size: int) -> None:
        self._tracker = tracker
        self._size = size
        self.reset()

    def reset(self) -> None:
        """Another stream: nothing of the last scene holds."""
        self._cuts = CutDetector()
        self._follower = Follower()
        self._cropper = Cropper()
        self._cut = False

    def observe(
        self, frame: Frame, seconds: float, time_ms: int
    ) -> tuple[Observation | None, bool]:
        """Look at the next frame.

        Args:
            frame: uint8 RGB `[H, W, 3]`, any size.
            seconds: since the frame before.
            time_ms: its presentation time.

        Returns:
            What is seen of the followed person (None: nothing), and whether that is a new scene
            or somebody new, so that the last keyframe no longer fits.

        Raises:
            ConfigError: not such a frame.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ConfigError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {list(frame.shape)}")
        # A cut counts until the person in the new scene is found.
        self._cut = self._cuts.push(frame) or self._cut
        faces = self._find(frame, time_ms)
        followed = self._follower.follow(faces, seconds, cut=self._cut)
        if followed.face is None:
            return None, False
        if followed.changed:
            self._cropper.reset()
        self._cut = False
        rectangle = self._cropper.update(followed.face.box, frame.shape[:2], seconds)
        landmarks = to_picture(followed.face.landmarks, rectangle)
        return Observation(cut(frame, rectangle, self._size), landmarks), followed.changed

    def _find(self, frame: Frame, time_ms: int) -> list[Face]:
        """Faces in pixels of the frame, found in a smaller copy where it is large."""
        height, width = frame.shape[:2]
        if min(height, width) < _SMALLEST:
            return []
        scale = TRACKED_SIDE / max(height, width)
        if scale >= 1:
            return self._tracker.track(frame, time_ms)
        small = resize(frame, max(1, round(width * scale)), max(1, round(height * scale)))
        back = np.array([width / small.shape[1], height / small.shape[0]], np.float32)
        faces = self._tracker.track(small, time_ms)
        return [Face(face.landmarks * back, face.blink, face.pose) for face in faces]
