"""`Tracker`: follows faces through a video, as MediaPipe's FaceLandmarker does in its VIDEO mode.

It runs the same networks by OpenVINO (`networks.py`) and sends nothing to anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError
from .blendshapes import BlinkNetwork
from .detector import Detector
from .landmarker import Landmarker, region_of
from .pose import HeadPose
from .region import Region

__all__ = ["MOST_FACES", "Face", "Tracker"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

MOST_FACES = 2
_SAME = 0.5  # a found region that overlaps a tracked one more than this replaces it


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
        across, down = np.ascontiguousarray(self.landmarks.T)  # minima of rows are found faster
        return float(across.min()), float(down.min()), float(across.max()), float(down.max())


class Tracker:
    """Follows up to two faces through a video; call it once a frame, in order.

    A face is found from about 0.12 of the longer side of the picture on; see `finder.py`.

    Args:
        model: path of `face_landmarker.task`; by default found as `models.third_party` says.
        details: also give blink and head pose (a millisecond a frame more).
        still: look at each picture for itself; they need not follow each other.

    Raises:
        WeightsError: the model is not there, or is no such model.
        MissingExtraError: OpenCV is not installed.
    """

    def __init__(
        self, model: Path | None = None, *, details: bool = False, still: bool = False
    ) -> None:
        from ...models.third_party import find_asset

        path = model or find_asset("face_landmarker.task")
        self._detector = Detector(path)
        self._landmarker = Landmarker(path)
        self._blink = BlinkNetwork(path) if details else None
        self._pose = HeadPose(path) if details else None
        self._still = still
        self._regions: list[Region] = []
        self._shape = (0, 0)  # of the frame that the regions belong to

    def track(self, frame: Frame, time_ms: int | None = None) -> list[Face]:
        """Find the faces in one frame.

        Args:
            frame: uint8 RGB `[H, W, 3]`.
            time_ms: presentation time; this tracker does not need it.

        Returns:
            The faces, largest first; an empty list where there is none.

        Raises:
            ConfigError: not such a frame.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ConfigError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {frame.shape}")
        self._fit(frame.shape[0], frame.shape[1])
        found = (self._landmarker.find(frame, region) for region in self._look(frame))
        meshes = [mesh for mesh in found if mesh is not None]
        self._regions = [] if self._still else [region_of(mesh) for mesh in meshes]
        faces = [self._face(mesh, frame.shape[0], frame.shape[1]) for mesh in meshes]
        return sorted(faces, key=lambda face: face.box[2] - face.box[0], reverse=True)

    def _look(self, frame: Frame) -> list[Region]:
        """Where faces may be: the regions of the last frame, and while there is room for more,
        those that the detector finds. Of two regions for the same face the later one counts.
        """
        if self._still:
            return self._detector.detect(frame, MOST_FACES)
        regions = self._regions
        if len(regions) < MOST_FACES:
            for found in self._detector.detect(frame, MOST_FACES):
                regions = [old for old in regions if old.overlap(found) <= _SAME] + [found]
        return regions[:MOST_FACES]

    def _fit(self, height: int, width: int) -> None:
        """Scale the regions where the frames change their size."""
        if self._shape != (height, width) and self._regions:
            down, across = height / self._shape[0], width / self._shape[1]
            self._regions = [region.rescaled(across, down) for region in self._regions]
        self._shape = (height, width)

    def _face(self, mesh: Points, height: int, width: int) -> Face:
        blink = self._blink.blink(mesh) if self._blink else (0.0, 0.0)
        pose = self._pose.fit(mesh, height, width) if self._pose else None
        return Face(mesh[:, :2].copy(), blink, pose, mesh[:, 2].copy())

    def close(self) -> None:
        """Forget the faces; the networks are freed with the tracker."""
        self._regions = []

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
