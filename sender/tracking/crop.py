"""The face crop: square, head and shoulders, and steady.

As in the preprocessing of the first order motion model (Siarohin et al. 2019, section 4): the
rectangle stands still while the head stays inside it. It follows, smoothly, only when the head
leaves it, and then stands still again. So what moves in the crop is the person, not the crop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.errors import MissingExtraError

__all__ = ["Cropper", "Rectangle", "cut", "resize", "to_picture"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
Square = tuple[float, float, float]  # centre x, centre y, side

_FACE = 0.55  # height of the face mesh in the crop, as in the training clips (median 0.58)
_DOWN = 0.56  # centre of the mesh from the top
_WIDE = 1.15  # height of a frontal mesh in widths; keeps the size when the head nods
_TIGHT = 0.85  # height of the largest mesh in a crop; for a larger one the picture is padded
_WHOLE = (0.30, 0.85)  # height of the mesh in a square picture that is a head crop already
_DRIFT = 0.17  # distance of the face from its place, in sides, from which the crop follows
_ZOOM = 1.45  # factor between the wanted and the present size from which the crop follows
_SETTLE_S = 0.35  # time constant of the following
_SETTLED = 0.01


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A square of the frame: left, top and side in pixels. It may reach beyond the border."""

    left: int
    top: int
    side: int


class Cropper:
    """Decides where the crop lies; one a stream."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Place the crop afresh at the next face (scene cut, other person)."""
        self._current: Square | None = None
        self._following = False

    def rescale(self, across: float, down: float) -> None:
        """The frames change their size by these factors, and show the same as before."""
        if self._current is not None:
            x, y, side = self._current
            self._current = (x * across, y * down, side * down)

    def update(self, box: Box, shape: tuple[int, int], seconds: float) -> Rectangle:
        """Crop for a frame whose face is known.

        Args:
            box: bounds of the face mesh in pixels: x0, y0, x1, y1.
            shape: height and width of the frame.
            seconds: since the frame before.
        """
        wanted = _place(box, shape)
        if self._current is None:
            self._current = wanted
        elif _is_head_crop(self._current, shape):
            pass  # once taken, the whole picture remains the crop
        elif self._following or _left(self._current, wanted):
            self._follow(self._current, wanted, seconds)
        return self.rectangle()

    def rectangle(self) -> Rectangle:
        """The present crop; before the first face a square of side 0."""
        if self._current is None:
            return Rectangle(0, 0, 0)
        x, y, side = self._current
        size = max(2, round(side))
        return Rectangle(round(x - size / 2), round(y - size / 2), size)

    def _follow(self, current: Square, wanted: Square, seconds: float) -> None:
        share = 1 - math.exp(-max(seconds, 0.0) / _SETTLE_S)
        x, y, side = (a + share * (b - a) for a, b in zip(current, wanted, strict=True))
        self._current = (x, y, side)
        rest = max(abs(a - b) for a, b in zip(self._current, wanted, strict=True))
        self._following = rest > _SETTLED * side


def _left(current: Square, wanted: Square) -> bool:
    (x, y, side), (wx, wy, wanted_side) = current, wanted
    drift = max(abs(wx - x), abs(wy - y)) > _DRIFT * side
    return drift or not 1 / _ZOOM < wanted_side / side < _ZOOM


def _is_head_crop(current: Square, shape: tuple[int, int]) -> bool:
    return shape[0] == shape[1] and math.isclose(current[2], shape[0])


def _place(box: Box, shape: tuple[int, int]) -> Square:
    """Where the crop should lie: inside the frame where the face allows it."""
    height, width = shape
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    tall = box[3] - box[1]
    if height == width and _WHOLE[0] <= tall / height <= _WHOLE[1]:
        return width / 2, height / 2, float(height)
    extent = max(tall, (box[2] - box[0]) * _WIDE)
    side = max(min(extent / _FACE, min(shape)), extent / _TIGHT)
    return (
        _inside(x, side, width),
        _inside(y + (0.5 - _DOWN) * side, side, height),
        side,
    )


def _inside(centre: float, side: float, length: int) -> float:
    """Shift the crop into the frame; one that is larger is centred and padded at both ends."""
    if side >= length:
        return length / 2
    return min(max(centre, side / 2), length - side / 2)


def cut(frame: Frame, rectangle: Rectangle, size: int) -> Frame:
    """The crop as a picture. Where it has that size already, its pixels are unchanged.

    Args:
        frame: uint8 `[H, W, 3]`.
        rectangle: where to cut; beyond the frame's border its edge is repeated.
        size: side of the result in pixels.

    Returns:
        uint8 `[size, size, 3]`.
    """
    height, width = frame.shape[:2]
    left, top, side = rectangle.left, rectangle.top, rectangle.side
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    part = frame[rows, columns]
    above, before = max(-top, 0), max(-left, 0)
    below, after = side - above - part.shape[0], side - before - part.shape[1]
    if above or before or below or after:
        part = np.pad(part, ((above, below), (before, after), (0, 0)), mode="edge")
    return resize(part, size, size)


def resize(picture: Frame, width: int, height: int) -> Frame:
    """Scale to uint8 `[height, width, 3]`: by area when it shrinks, which avoids aliasing, and
    bicubically when it grows.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    if picture.shape[:2] == (height, width):
        return np.ascontiguousarray(picture)
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("cropping a face", "encode") from error
    picture = np.ascontiguousarray(picture)
    shrinks = width <= picture.shape[1] and height <= picture.shape[0]
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=filter_), np.uint8)


def to_picture(landmarks: Points, rectangle: Rectangle) -> Points:
    """Landmarks `[478, 2]` in pixels of the frame → on [-1, 1] of the crop."""
    corner = np.array([rectangle.left, rectangle.top], np.float32)
    return ((landmarks - corner) * (2 / rectangle.side) - 1).astype(np.float32)
