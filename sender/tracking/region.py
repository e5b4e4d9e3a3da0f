"""`Region`: the rotated rectangle of a picture in which a network looks for a face."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Region", "upright"]

Points = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Region:
    """A rotated rectangle of a picture.

    Attributes:
        x: centre from the left, in pixels.
        y: centre from the top, in pixels.
        width: in pixels, before the rotation.
        height: in pixels, before the rotation.
        angle: radians, clockwise as one sees the picture; 0 is upright.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0

    def rescaled(self, across: float, down: float) -> Region:
        """The same region of a frame whose width and height change by these factors."""
        return Region(
            self.x * across, self.y * down, self.width * across, self.height * down, self.angle
        )

    def scaled(self, factor: float) -> Region:
        """The same centre and angle with sides `factor` times as long."""
        return Region(self.x, self.y, self.width * factor, self.height * factor, self.angle)

    def overlap(self, other: Region) -> float:
        """Intersection over union of both rectangles, taken without their rotation."""
        width = min(self.x + self.width / 2, other.x + other.width / 2) - max(
            self.x - self.width / 2, other.x - other.width / 2
        )
        height = min(self.y + self.height / 2, other.y + other.height / 2) - max(
            self.y - self.height / 2, other.y - other.height / 2
        )
        if width <= 0 or height <= 0:
            return 0.0
        both = width * height
        return both / (self.width * self.height + other.width * other.height - both)

    def to_frame(self, points: Points) -> Points:
        """From the unit square of the region to pixels of the frame.

        Args:
            points: float32 `[N, 3]`: x and y on [0, 1] of the region, z in its widths.

        Returns:
            float32 `[N, 3]` in pixels. As in MediaPipe the sides are applied after the rotation:
            for a square, which is the usual case, the order does not matter.
        """
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        turn = np.array([[cosine, -sine], [sine, cosine]])
        moved = np.empty_like(points)
        moved[:, :2] = (points[:, :2] - 0.5) @ turn.T * (self.width, self.height) + (self.x, self.y)
        moved[:, 2] = points[:, 2] * self.width
        return moved

    def from_square(self) -> npt.NDArray[np.float64]:
        """Affine map `[2, 3]` from the unit square to the frame."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        linear = np.array([[cosine, -sine], [sine, cosine]]) * (self.width, self.height)
        corner = np.array([self.x, self.y]) - linear @ (0.5, 0.5)
        return np.hstack([linear, corner[:, None]])


def upright(start: Points, end: Points) -> float:
    """Angle of a region in which the line from `start` to `end`, `[2]` in pixels, is level."""
    return math.atan2(float(end[1] - start[1]), float(end[0] - start[0]))
