"""Obstacles that are painted into frames, such as a hand, and of which the generator knows nothing.

The network has to learn to show the base layer there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

__all__ = ["Obstacle"]

Frame = npt.NDArray[np.uint8]
_SKIN = np.array([[224, 172, 140], [198, 134, 102], [141, 85, 54], [255, 205, 178]], np.float32)
_FINEST = 4  # pixels of the finest shading


@dataclass(frozen=True)
class Obstacle:
    """A textured shape that moves through a clip.

    Attributes:
        texture: uint8 `[H, W, 3]`, as large as the frames.
        mask: float32 `[H, W, 1]` on [0, 1], 1 inside the shape, at its place in the frame `since`.
        speed: pixels a frame, x and y.
        turn: how far it turns, in degrees a frame.
        since: the first frame that shows it.
    """

    texture: Frame
    mask: npt.NDArray[np.float32]
    speed: tuple[float, float]
    turn: float
    since: int

    @classmethod
    def random(cls, rng: np.random.Generator, size: int, since: int, other: Frame) -> Obstacle:
        """Make one like a hand (rounded strokes of skin), or one with another picture's texture."""
        centre = rng.uniform(0.2, 0.8, 2) * size
        mask = np.zeros((size, size), np.uint8)
        hand = rng.random() < 0.6
        for _ in range(rng.integers(2, 6) if hand else 1):
            end = centre + rng.normal(0, 0.15, 2) * size
            width = int(rng.uniform(0.05, 0.12) * size)
            if hand:
                points = [tuple(int(v) for v in p) for p in (centre, end)]
                cv2.line(mask, points[0], points[1], 255, width, cv2.LINE_AA)
            else:
                axes = tuple(int(v) for v in rng.uniform(0.08, 0.3, 2) * size)
                place = (int(centre[0]), int(centre[1]))
                cv2.ellipse(mask, place, axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        soft = cv2.GaussianBlur(mask, (0, 0), 0.8).astype(np.float32)
        texture = _skin(rng, size) if hand else other
        across, down, turn = (float(v) for v in rng.normal(0, (1.2, 1.2, 0.7)))
        return cls(texture, np.float32(1 / 255) * soft[..., None], (across, down), turn, since)

    def paint(self, frame: Frame, number: int) -> Frame:
        """The frame of this number with the obstacle in it."""
        if number < self.since:
            return frame
        gone, size = number - self.since, len(frame)
        map_ = cv2.getRotationMatrix2D((size / 2, size / 2), self.turn * gone, 1.0)
        map_[:, 2] += np.array(self.speed) * gone
        way = cv2.INTER_LINEAR
        texture = cv2.warpAffine(
            self.texture, map_, (size, size), flags=way, borderMode=cv2.BORDER_REFLECT
        )
        mask = cv2.warpAffine(self.mask, map_, (size, size), flags=way)[..., None]
        mixed = frame + (texture.astype(np.float32) - frame) * mask
        return np.asarray(mixed.round().clip(0, 255), np.uint8)


def _skin(rng: np.random.Generator, size: int) -> Frame:
    """A surface of one colour, with shading of several sizes."""
    colour = _SKIN[rng.integers(len(_SKIN))] * rng.uniform(0.5, 1.1) + rng.normal(0, 8, 3)
    shade = np.ones((size, size, 1), np.float32)
    for side, strength in ((4, 0.2), (16, 0.1), (size // _FINEST, 0.04)):
        noise = rng.normal(0, strength, (side, side)).astype(np.float32)
        shade += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.asarray((colour * shade).clip(0, 255), np.uint8)
