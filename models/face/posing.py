"""From landmarks to what profile `pose` sends of a frame, and back to landmarks.

What is sent: how the head is turned, where it is (`turning.Place`), and how far each eye is open.
The way back begins with the landmarks of the keyframe: they are turned and placed, and the upper
lids are moved until the eyes are as open as was sent. The mouth stays as the keyframe has it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ...codec.motion.frame import MotionFrame
from ...codec.motion.pose import HeadPlace, PoseFrame
from .mesh import POINTS, REGIONS
from .turning import LiftedHead, Place

__all__ = ["PosedFace", "eye_opening", "moved_regions", "with_opening"]

Array = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_AT = {index: at for at, index in enumerate(POINTS)}


def _at(*indices: int) -> npt.NDArray[np.int64]:
    return np.array([_AT[index] for index in indices])


_UPPER = (
    _at(246, 161, 160, 159, 158, 157, 173),
    _at(466, 388, 387, 386, 385, 384, 398),
)
_LOWER = (
    _at(7, 163, 144, 145, 153, 154, 155),
    _at(249, 390, 373, 374, 380, 381, 382),
)
_CORNERS = (_at(33, 133), _at(362, 263))  # of the right and the left eye, left before right
_MIDDLE = 3  # position of the lid's middle in the two chains
_ARCH = np.array([0.35, 0.7, 0.93, 1.0, 0.93, 0.7, 0.35])  # how far each point of a lid moves
_MOST = 1.5  # widest opening that is measured or drawn
_SMALLEST, _FARTHEST = 1 / 32, 32.0  # well within what can be sent, whatever quantising adds
_NOSE = 0
_SUBSETS = tuple(np.array([_AT[index] for index in region if index in _AT]) for region in REGIONS)
_RIDGE = 1e-3


def eye_opening(points: Array, eye: int) -> float:
    """How far an eye (0: the person's right one, 1: the left) of landmarks `[P, 2]` is open.

    Distance of the lids' middles over that of the corners (APB2Face, section 3).
    """
    upper, lower = points[_UPPER[eye][_MIDDLE]], points[_LOWER[eye][_MIDDLE]]
    left, right = points[_CORNERS[eye]]
    width = float(np.linalg.norm(right - left))
    return min(float(np.linalg.norm(upper - lower)) / max(width, 1e-6), _MOST)


def with_opening(points: Array, eye: int, opening: float) -> Array:
    """Landmarks `[P, 2]` with an eye that is open so far; the upper lid moves."""
    opening = min(max(opening, 0.0), _MOST)
    left, right = points[_CORNERS[eye]].astype(np.float64)
    across = right - left
    width = max(float(np.linalg.norm(across)), 1e-6)
    up = np.array([across[1], -across[0]]) / width
    upper, lower = points[_UPPER[eye]].astype(np.float64), points[_LOWER[eye]]
    gap = upper[_MIDDLE] - lower[_MIDDLE]
    # A lid that falls also slides back over the one below it, where the head is turned.
    share = min(opening * width / max(float(np.linalg.norm(gap)), 1e-6), 1.0)
    sideways = float(gap @ across) / width * share
    upwards = math.sqrt(max((opening * width) ** 2 - sideways**2, 0.0))
    wanted = upwards * up + sideways * across / width
    out = np.array(points, np.float32)
    out[_UPPER[eye]] = upper + np.outer(_ARCH, wanted - gap)
    return out


class PosedFace:
    """The face of one keyframe, for the sender and the receiver alike.

    Args:
        points: the keyframe's landmarks, float32 `[P, 2]` on [-1, 1].
    """

    def __init__(self, points: Array) -> None:
        self._points = np.asarray(points, np.float32)
        self._head = LiftedHead(self._points)
        self.still = self._frame(self._head.place, self._points)
        """What is sent of the keyframe itself."""

    def look(self, points: Array) -> PoseFrame:
        """What is sent of a frame with these landmarks `[P, 2]`."""
        return self._frame(self._head.find(points), points)

    def _frame(self, place: Place, points: Array) -> PoseFrame:
        size = min(max(place.size, _SMALLEST), 1 / _SMALLEST)
        x, y = (min(max(value, -_FARTHEST), _FARTHEST) for value in (place.x, place.y))
        return PoseFrame(
            place.yaw,
            place.pitch,
            place.roll,
            eye_opening(points, 0),
            eye_opening(points, 1),
            HeadPlace(x, y, size),
        )

    def points(self, pose: PoseFrame) -> Array:
        """The landmarks of a frame, float32 `[P, 2]`, with the keyframe's mouth."""
        place = replace(self._head.place, yaw=pose.yaw, pitch=pose.pitch, roll=pose.roll)
        if pose.place is not None:
            place = replace(place, x=pose.place.x, y=pose.place.y, size=pose.place.size)
        points = self._head.seen_at(place)
        for eye, opening in enumerate((pose.right, pose.left)):
            points = with_opening(points, eye, opening)
        return points


def moved_regions(motion: MotionFrame, before: Array, after: Array) -> MotionFrame:
    """The motion of a frame after its landmarks were moved.

    Each region's map from the landmarks before to those after is found by least squares, among the
    landmarks that a receiver has, and follows the motion. The gaze stays.

    Args:
        motion: the frame's before.
        before: the landmarks that belong to it, float32 `[P, 2]`.
        after: where they are now, float32 `[P, 2]`.

    Raises:
        MotionError: the landmarks are far outside of any picture.
    """
    prior = _similarity(before[_SUBSETS[_NOSE]], after[_SUBSETS[_NOSE]])
    value, jacobian = np.empty((10, 2)), np.empty((10, 2, 2))
    for region, used in enumerate(_SUBSETS):
        x, y = before[used].astype(np.float64), after[used].astype(np.float64)
        from_centre, to_centre = x.mean(0), y.mean(0)
        x, y = x - from_centre, y - to_centre
        weight = _RIDGE * float((x * x).sum()) + 1e-9
        system = x.T @ x + weight * np.eye(2)
        moved = np.linalg.solve(system, (y.T @ x + weight * prior).T).T
        value[region] = moved @ (motion.value[region] - from_centre) + to_centre
        jacobian[region] = moved @ motion.jacobian[region]
    return MotionFrame(value.astype(np.float32), jacobian.astype(np.float32), motion.gaze)


def _similarity(source: Array, target: Array) -> Matrix:
    """Scale and rotation between points `[n, 2]`, as `[2, 2]`."""
    x, y = source - source.mean(0), target - target.mean(0)
    norm = max(float((x * x).sum()), 1e-12)
    a = float((x * y).sum()) / norm
    b = float((x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0]).sum()) / norm
    return np.array([[a, -b], [b, a]])
