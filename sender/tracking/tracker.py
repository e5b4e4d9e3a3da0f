"""The face tracker: MediaPipe FaceLandmarker and selfie segmentation (extra `[encode]`)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError
from ...models.mediapipe_tasks import checked_model, hushed, load_vision

__all__ = ["Face", "Tracker"]

Frame = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Face:
    """One tracked face.

    Attributes:
        landmarks: float32 `[478, 2]` in pixels of the frame (x, y); pixel edges, not centres.
        blink: (right, left) blink blendshape, 0 open to 1 closed; zeros where not asked for.
        pose: float32 `[4, 4]`, the facial transformation matrix, or None.
        depth: float32 `[478]` in pixels, smaller is nearer, 0 at the head's centre; or None.
    """

    landmarks: npt.NDArray[np.float32]
    blink: tuple[float, float] = (0.0, 0.0)
    pose: npt.NDArray[np.float32] | None = None
    depth: npt.NDArray[np.float32] | None = None

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Bounding box of the mesh in pixels: x0, y0, x1, y1."""
        low, high = self.landmarks.min(0), self.landmarks.max(0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


class Tracker:
    """Follows up to two faces through a video; call it once a frame, in order.

    A face is found from about 0.12 of the longer side of the picture on; see `finder.py`.

    Args:
        model: path of `face_landmarker.task`; by default found as `models.assets` says.
        details: also give blink and head pose (a millisecond a frame more).
        still: look at each picture for itself; they need not follow each other.
    """

    def __init__(
        self, model: Path | None = None, *, details: bool = False, still: bool = False
    ) -> None:
        from ...models.assets import find_asset

        self._mediapipe, base, vision = load_vision()
        path = model or find_asset("face_landmarker.task")
        options = vision.FaceLandmarkerOptions(
            base_options=base(model_asset_path=str(path)),
            running_mode=vision.RunningMode.IMAGE if still else vision.RunningMode.VIDEO,
            num_faces=2,
            output_face_blendshapes=details,
            output_facial_transformation_matrixes=details,
        )
        with hushed(), checked_model(path):
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
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
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise ConfigError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {frame.shape}")
        self._clock = max(self._clock + 1, time_ms if time_ms is not None else self._clock + 40)
        height, width = frame.shape[:2]
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame)
        )
        # The networks are set up by the first picture, and say so.
        with hushed() if self._new else contextlib.nullcontext():
            if self._still:
                result = self._landmarker.detect(image)
            else:
                result = self._landmarker.detect_for_video(image, self._clock)
        self._new = False
        faces = []
        for index, points in enumerate(result.face_landmarks):
            mesh = np.array([(p.x, p.y, p.z) for p in points], np.float32)
            mesh *= np.array([width, height, width], np.float32)
            blink, pose = (0.0, 0.0), None
            if result.face_blendshapes:
                scores = {c.category_name: c.score for c in result.face_blendshapes[index]}
                blink = (scores.get("eyeBlinkRight", 0.0), scores.get("eyeBlinkLeft", 0.0))
            if result.facial_transformation_matrixes:
                pose = np.asarray(result.facial_transformation_matrixes[index], np.float32)
            faces.append(Face(mesh[:, :2].copy(), blink, pose, mesh[:, 2].copy()))
        return sorted(faces, key=lambda f: f.box[2] - f.box[0], reverse=True)

    def close(self) -> None:
        """Free the native tracker."""
        self._landmarker.close()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
