"""`LiftedHead`: one person's head in space, lifted from the landmarks of one picture.

Profile `pose` measures with it how a head is turned and placed, and a receiver, which has no depth,
turns the keyframe's landmarks with it.

A mean face gives each landmark a depth (`models/training/fit_pose.py` finds it in training clips).
A picture's own landmarks then get the depth that the mean face has in the same pose, so that the
head can be turned, moved and resized, and its landmarks be seen again: exactly the picture's own in
its own pose. Views are scaled orthographic: the depth of a head is small against its distance.

Angles are those of MediaPipe's head pose: the rotation `Ry(yaw) Rx(pitch) Rz(roll)` with x to the
picture's right, y up and z towards the camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .mesh import POINTS, REGIONS

__all__ = ["RIGID", "LiftedHead", "Place", "fit_place", "mean_shape", "rotation"]

Array = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float64]

_OVAL_SIDES = (10, 338, 297, 332, 284, 251, 389, 356, 454, 234, 127, 162, 21, 54, 103, 67, 109)
RIGID: npt.NDArray[np.int64] = np.array(
    [at for at, index in enumerate(POINTS) if index in (*REGIONS[0], *_OVAL_SIDES)]
)
"""Positions in `POINTS` of what does not move with speech or blinks: nose, eye corners, temples."""
_STEPS = 12  # of the fit, at most
_DAMPING = 1e-4
_STEEPEST = 1.45  # radians of yaw and pitch: no tracker sees a face from the side or from above
_GOOD = 0.02  # share of the points' spread that a fit may leave; else other starts are tried


@dataclass(frozen=True, slots=True)
class Place:
    """Where a head is and how it is turned.

    Attributes:
        yaw, pitch, roll: in radians.
        x, y: the middle of the head's rigid points, on [-1, 1] of the picture, y down.
        size: of the mean face's unit in the same unit, above 0.
    """

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    size: float


def rotation(yaw: float, pitch: float, roll: float) -> Matrix:
    """`Ry(yaw) Rx(pitch) Rz(roll)`, float64 `[3, 3]`."""
    (a, b, c), (p, q, r) = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    about_y = np.array([[a, 0, p], [0, 1, 0], [-p, 0, a]])
    about_x = np.array([[1, 0, 0], [0, b, -q], [0, q, b]])
    about_z = np.array([[c, -r, 0], [r, c, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


@lru_cache(maxsize=1)
def mean_shape() -> Matrix:
    """The mean face, float64 `[P, 3]`: x to the right, y up, z towards the camera. The middle of
    its rigid points is 0, and its outer eye corners lie 1 apart.
    """
    with np.load(Path(__file__).with_name("depth.npz"), allow_pickle=False) as file:
        shape = file["shape"].astype(np.float64)
    shape.setflags(write=False)
    return np.asarray(shape)


def fit_place(shape: Matrix, points: Array, start: Place | None = None) -> Place:
    """The place in which a head's rigid points come nearest to those seen.

    Least squares by Gauss-Newton steps on the angles; place and size follow in closed form.

    Args:
        shape: float64 `[P, 3]`, as `mean_shape`.
        points: float32 `[P, 2]` on [-1, 1], y down.
        start: where to look first; by default a head that looks into the camera.
    """
    rigid = shape[RIGID] - shape[RIGID].mean(0)
    seen = points[RIGID].astype(np.float64) * (1, -1)
    middle = seen.mean(0)
    seen = seen - middle
    roll = _first_roll(rigid, seen)
    starts = [(yaw, 0.0, roll) for yaw in (0.0, 0.8, -0.8)]
    if start is not None:
        starts.insert(0, (start.yaw, start.pitch, start.roll))
    spread = float((seen * seen).sum())
    best: tuple[float, float, Matrix] | None = None
    for angles in starts:
        found = _descend(rigid, seen, np.array(angles))
        if best is None or found[0] < best[0]:
            best = found
        if best[0] <= _GOOD * spread:
            break
    assert best is not None
    _, size, turned = best
    yaw, pitch, roll = (float((angle + math.pi) % (2 * math.pi) - math.pi) for angle in turned)
    return Place(yaw, pitch, roll, float(middle[0]), float(-middle[1]), max(size, 1e-6))


def _descend(rigid: Matrix, seen: Matrix, angles: Matrix) -> tuple[float, float, Matrix]:
    """Error, size and angles of the fit that lies below these angles."""
    angles[:2] = angles[:2].clip(-_STEEPEST, _STEEPEST)
    size, error = _measure(rigid, seen, angles)
    damping = _DAMPING
    for _ in range(_STEPS):
        slopes = np.stack([_slope(rigid, seen, angles, axis) for axis in range(3)], -1)
        gram = slopes.T @ slopes
        damped = gram + (damping * np.trace(gram) + 1e-12) * np.eye(3)
        step = np.linalg.solve(damped, slopes.T @ error)
        tried = angles - np.clip(step, -0.5, 0.5)
        tried[:2] = tried[:2].clip(-_STEEPEST, _STEEPEST)
        new_size, new_error = _measure(rigid, seen, tried)
        if new_size > 0 and float(new_error @ new_error) <= float(error @ error):
            size, error, angles, damping = new_size, new_error, tried, damping / 4
            if np.abs(step).max() < 1e-4:
                break
        else:
            damping *= 16
    return float(error @ error), size, angles


def _first_roll(rigid: Matrix, seen: Matrix) -> float:
    flat = rigid[:, 0] + 1j * rigid[:, 1]
    return float(np.angle((flat.conj() * (seen[:, 0] + 1j * seen[:, 1])).sum()))


def _measure(rigid: Matrix, seen: Matrix, angles: Matrix) -> tuple[float, Matrix]:
    """The best size for these angles, and what is left then, flat."""
    flat = (rigid @ rotation(*angles).T)[:, :2]
    size = float((flat * seen).sum() / max((flat * flat).sum(), 1e-12))
    return size, (size * flat - seen).ravel()


def _slope(rigid: Matrix, seen: Matrix, angles: Matrix, axis: int) -> Matrix:
    moved = angles.copy()
    moved[axis] += 1e-4
    other = angles.copy()
    other[axis] -= 1e-4
    after, before = _measure(rigid, seen, moved)[1], _measure(rigid, seen, other)[1]
    return np.asarray((after - before) / 2e-4)


class LiftedHead:
    """A person's head.

    Args:
        points: landmarks of a picture in the order of `POINTS`, float32 `[P, 2]` on [-1, 1].

    Attributes:
        place: of the head in that picture.
        shape: the head in space, float64 `[P, 3]`, as `mean_shape`.
    """

    def __init__(self, points: Array) -> None:
        mean = mean_shape()
        self.place = place = fit_place(mean, points)
        turn = rotation(place.yaw, place.pitch, place.roll)
        seen = (points.astype(np.float64) - (place.x, place.y)) * (1, -1) / place.size
        depth = (mean @ turn.T)[:, 2:]
        self.shape = np.concatenate([seen, depth], -1) @ turn

    def find(self, points: Array) -> Place:
        """The place in which this head looks most like a picture's landmarks `[P, 2]`."""
        return fit_place(self.shape, points, self.place)

    def seen_at(self, place: Place) -> Array:
        """The landmarks of this head at another place, float32 `[P, 2]` on [-1, 1]."""
        turn = rotation(place.yaw, place.pitch, place.roll)
        flat = (self.shape @ turn.T)[:, :2] * place.size * (1, -1)
        return np.asarray(flat + (place.x, place.y), np.float32)
