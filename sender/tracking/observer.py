"""`Observer`: a frame of any size to the crop and the landmarks of the person that is followed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError
from ...models.face.observation import Observation
from .crop import Cropper, Rectangle, cut, to_picture
from .cuts import CutDetector
from .finder import FaceTracker, Finder
from .follow import FaceChoice, Follower
from .movement import overlap
from .tracker import Face

__all__ = ["Observer"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

_SAME_FORM = 1.05  # ratio of two aspect ratios up to which frames show the same


class Observer:
    """Finds, follows and crops; one a stream.

    Args:
        tracker: finds faces.
        size: side of the crop in pixels.
        still: see `Finder`.
        crop: cut the head out; without, the whole of a square frame is the crop.
        face: which of several faces is followed. Another choice than "largest" needs `still`.
        spread: see `Finder`.
    """

    def __init__(
        self,
        tracker: FaceTracker,
        size: int,
        still: Callable[[], FaceTracker] | None = None,
        *,
        crop: bool = True,
        face: FaceChoice = "largest",
        spread: bool = False,
    ) -> None:
        self._crop = crop
        self._spread = spread
        self._finder = Finder(tracker, still, spread=spread)
        self._follower = Follower("largest" if still is None else face)
        self._cropper = Cropper()
        self._size = size
        self.reset()

    def reset(self) -> None:
        """Another stream: nothing of the last scene holds."""
        self._cuts = CutDetector()
        self._follower.reset()
        self._cropper.reset()
        self._finder.reset()
        self._cut = False
        self._surveying = False
        self._changed = False  # somebody new was chosen, but not seen yet
        self._shape = (0, 0)
        self._last: Rectangle | None = None
        self._landmarks: Points | None = None  # where the face was last, in the crop
        self._deserted = False  # the last frame showed no face at all

    def observe(
        self, frame: Frame, seconds: float, time_ms: int
    ) -> tuple[Observation | None, bool]:
        """Look at the next frame.

        Args:
            frame: uint8 RGB `[H, W, 3]`, any size; it may change from frame to frame.
            seconds: since the frame before.
            time_ms: its presentation time.

        Returns:
            What is seen of the followed person (None: nothing), and whether that is a new scene
            or somebody new, so that the last keyframe no longer fits.

        Raises:
            ConfigError: not such a frame, or not square where it is taken whole.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8 or not frame.size:
            raise ConfigError(f"a frame is uint8 [H, W, 3], not {frame.dtype} {list(frame.shape)}")
        shape = (frame.shape[0], frame.shape[1])
        if not self._crop and shape[0] != shape[1]:
            raise ConfigError(f"without cropping a frame is square, not {list(shape)}")
        self._fit(shape)
        if self._cuts.push(frame):
            self._cut = True  # until the person in the new scene is found
            self._finder.reset()
        if self._follower.wants_all(seconds, cut=self._cut):
            self._surveying = True
        everyone = self._finder.survey(frame) if self._surveying else None
        self._surveying = self._surveying and everyone is None
        faces = self._finder.find(frame, seconds, time_ms)
        self._deserted = not faces
        followed = self._follower.follow(
            faces, seconds, cut=self._cut, everyone=everyone, size=shape
        )
        self._changed = self._changed or followed.changed
        face = self._present(followed.face, faces, frame, time_ms)
        if face is None:
            return None, False
        self._finder.keep(face, shape)
        changed, self._changed = self._changed, False
        if changed or self._cut:
            self._cropper.reset()
        self._cut = False
        if self._crop:
            rectangle = self._cropper.update(face.box, shape, seconds)
        else:
            rectangle = Rectangle(0, 0, len(frame))
        self._last = rectangle
        landmarks = to_picture(face.landmarks, rectangle)
        self._landmarks = landmarks
        picture = cut(frame, rectangle, self._size)
        depth = None if face.depth is None else face.depth * np.float32(2 / rectangle.side)
        return Observation(picture, landmarks, time_ms / 1000, depth=depth), changed

    def _present(
        self, chosen: Face | None, faces: list[Face], frame: Frame, time_ms: int
    ) -> Face | None:
        """The chosen face as this frame shows it; None if it does not. A survey that was spread
        over frames tells where it was.
        """
        if chosen is None or not self._spread or any(chosen is face for face in faces):
            return chosen
        box = chosen.box
        near = self._finder.again(frame, chosen, time_ms)
        return max(near, key=lambda face: overlap(face.box, box), default=None)

    def _fit(self, shape: tuple[int, int]) -> None:
        """Where frames change their size, scale what is known in pixels. Where they change their
        form too (a telephone that was turned), they show something else, as after a cut.
        """
        before, self._shape = self._shape, shape
        if before in ((0, 0), shape):
            return
        down, across = shape[0] / before[0], shape[1] / before[1]
        if not 1 / _SAME_FORM < across / down < _SAME_FORM:
            self._finder.reset()
            self._cut = True
            return
        self._finder.rescale(across, down)
        self._follower.rescale(across, down)
        self._cropper.rescale(across, down)
        if self._last is not None:
            whole = Rectangle(0, 0, shape[0])
            self._last = self._cropper.rectangle() if self._crop else whole

    def unseen(self, frame: Frame, time_ms: int) -> Observation | None:
        """What is where the face was last, with its last landmarks, in a frame in which `observe`
        has found none. So the caller can show that a hand covers the face, or that the light went
        out.

        Args:
            frame: the frame that `observe` was given last.
            time_ms: its presentation time.

        Returns:
            None before the first face, after a cut, and while somebody else is there.
        """
        if self._last is None or self._landmarks is None or self._cut or not self._deserted:
            return None
        picture = cut(frame, self._last, self._size)
        return Observation(picture, self._landmarks, time_ms / 1000)

    def crop(self, frame: Frame, seconds: float, time_ms: int) -> Frame | None:
        """The crop alone, uint8 `[size, size, 3]`: also of frames from which the face is away,
        where it was last; None before the first face. Arguments as of `observe`.
        """
        seen, _ = self.observe(frame, seconds, time_ms)
        if seen is not None:
            return seen.picture
        return None if self._last is None else cut(frame, self._last, self._size)

    def close(self) -> None:
        """Free what was made here; the tracker is the caller's."""
        self._finder.close()
