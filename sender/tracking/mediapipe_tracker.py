"""`MediaPipeTracker`: MediaPipe's own FaceLandmarker, for comparison (extra `[mediapipe]`).

It finds what `tracker.Tracker` finds, takes longer, and its newer releases look up a server of
Google's while they track (seen with 1.2.3).
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError, MissingExtraError, WeightsError
from .tracker import MOST_FACES, Face

__all__ = ["MediaPipeTracker"]

Frame = npt.NDArray[np.uint8]

_STDERR = threading.Lock()


class MediaPipeTracker:
    """Follows up to two faces through a video; call it once a frame, in order.

    Args:
        model: path of `face_landmarker.task`; by default found as `models.third_party` says.
        details: also give blink and head pose.
        still: look at each picture for itself; they need not follow each other.

    Raises:
        MissingExtraError: mediapipe is not installed.
        WeightsError: the model is not there, or MediaPipe cannot run it.
    """

    def __init__(
        self, model: Path | None = None, *, details: bool = False, still: bool = False
    ) -> None:
        from ...models.third_party import find_asset

        try:
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision
        except ImportError as error:
            raise MissingExtraError("MediaPipe's tracker", "mediapipe") from error
        self._mediapipe: Any = mediapipe
        path = model or find_asset("face_landmarker.task")
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            running_mode=vision.RunningMode.IMAGE if still else vision.RunningMode.VIDEO,
            num_faces=MOST_FACES,
            output_face_blendshapes=details,
            output_facial_transformation_matrixes=details,
        )
        try:
            with _hushed():
                self._landmarker = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as error:
            raise WeightsError(f"{path} is not a model that MediaPipe can run: {error}") from error
        self._still = still
        self._clock = -1
        self._new = True

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        """Find the faces in one frame.

        Args:
            frame: uint8 RGB `[H, W, 3]`.
            time_ms: presentation time; made to increase where it does not.

        Returns:
            The faces, largest first; an empty list where there is none.

        Raises:
            ConfigError: not such a frame.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ConfigError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {frame.shape}")
        self._clock = max(self._clock + 1, time_ms if time_ms is not None else self._clock + 40)
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame)
        )
        # The first picture sets the networks up, which writes notes.
        with _hushed() if self._new else contextlib.nullcontext():
            if self._still:
                result = self._landmarker.detect(image)
            else:
                result = self._landmarker.detect_for_video(image, self._clock)
        self._new = False
        size = np.array([frame.shape[1], frame.shape[0], frame.shape[1]], np.float32)
        faces = [_face(result, index, size) for index in range(len(result.face_landmarks))]
        return sorted(faces, key=lambda face: face.box[2] - face.box[0], reverse=True)

    def close(self) -> None:
        """Free the native tracker."""
        self._landmarker.close()


def _face(result: Any, index: int, size: npt.NDArray[np.float32]) -> Face:
    """One face of a result; `size` takes MediaPipe's coordinates to pixels."""
    mesh = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[index]], np.float32) * size
    blink, pose = (0.0, 0.0), None
    if result.face_blendshapes:
        scores = {c.category_name: c.score for c in result.face_blendshapes[index]}
        blink = (scores.get("eyeBlinkRight", 0.0), scores.get("eyeBlinkLeft", 0.0))
    if result.facial_transformation_matrixes:
        pose = np.asarray(result.facial_transformation_matrixes[index], np.float32)
    return Face(mesh[:, :2].copy(), blink, pose, mesh[:, 2].copy())


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Keep MediaPipe's notes off stderr; no setting of its own stops them.

    Errors come as exceptions and are not lost. One thread at a time may do this: two that overlap
    would leave stderr closed for good.
    """
    with _STDERR:
        try:
            sys.stderr.flush()
            saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        except (OSError, AttributeError):  # no stderr at all, as under pythonw
            yield
            return
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(nowhere)
