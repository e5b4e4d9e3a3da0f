"""`Appearance`: what a frame looks like, small enough to be compared with every reference.

It is luma in two parts: the face, in a box about its landmarks wherever that is, and the crop in
place. The cells of the crop about the head do not count, because the head moves. Beside each cell
stand the least and the greatest value in its neighbourhood, so that a comparison can allow for
small movements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..models.face.mesh import select_points
from ..models.face.observation import Observation

__all__ = ["FACE_CELLS", "REST_CELLS", "Appearance"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Cells = npt.NDArray[np.uint8]

_FACE, _REST = 12, 24  # cells on a side
FACE_CELLS, REST_CELLS = _FACE**2, _REST**2
_SIDE = 128  # pixels on a side of the picture that the cells are averaged from
_ABOVE, _BESIDE = 0.4, 0.2  # how far the head reaches beyond the landmarks, in their extents


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a frame looks like, or a stack of N frames.

    Attributes:
        points: landmarks, float32 `[P, 2]` or `[N, P, 2]` on [-1, 1].
        cells: luma of the face's cells, then of the crop's; uint8 `[C]` or `[N, C]`.
        low: the least value in the neighbourhood of each cell.
        high: the greatest one.
        counts: 1 for cells that can be compared, 0 for those of the crop about the head.
        faceless: whether no face was found; the landmarks are then the last ones. Bool, `[]` or
            `[N]`.
    """

    points: Points
    cells: Cells
    low: Cells
    high: Cells
    counts: Cells
    faceless: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, seen: Observation, *, faceless: bool = False) -> Appearance:
        """Of an observed frame."""
        return cls.of_picture(seen.picture, select_points(seen.landmarks), faceless=faceless)

    @classmethod
    def of_picture(cls, picture: Frame, points: Points, *, faceless: bool = False) -> Appearance:
        """Of a crop, uint8 RGB `[S, S, 3]`, and its landmarks, float32 `[P, 2]` on [-1, 1]."""
        import cv2

        small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        rows = np.ascontiguousarray(points.T)  # minima of rows are found faster
        low, high = (rows.min(1) + 1) / 2, (rows.max(1) + 1) / 2
        left, top = np.clip((low * _SIDE).astype(int), 0, _SIDE - _FACE)
        right, bottom = np.clip((high * _SIDE).astype(int), (left + _FACE, top + _FACE), _SIDE)
        box = grey[top:bottom, left:right]
        parts = [
            cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
            for part, side in ((box, _FACE), (grey, _REST))
        ]
        near = np.ones((3, 3), np.uint8)
        return cls(
            points,
            np.concatenate([part.ravel() for part in parts]),
            np.concatenate([cv2.erode(part, near).ravel() for part in parts]),
            np.concatenate([cv2.dilate(part, near).ravel() for part in parts]),
            np.concatenate([np.ones(FACE_CELLS, np.uint8), _apart(low, high).ravel()]),
            np.array(faceless),
        )

    @classmethod
    def stack(cls, frames: Sequence[Appearance]) -> Appearance:
        """Several frames as one stack."""
        return cls(
            np.stack([frame.points for frame in frames]),
            np.stack([frame.cells for frame in frames]),
            np.stack([frame.low for frame in frames]),
            np.stack([frame.high for frame in frames]),
            np.stack([frame.counts for frame in frames]),
            np.stack([frame.faceless for frame in frames]),
        )

    def __getitem__(self, index: int) -> Appearance:
        """One frame of a stack."""
        return Appearance(
            self.points[index],
            self.cells[index],
            self.low[index],
            self.high[index],
            self.counts[index],
            self.faceless[index],
        )

    def __len__(self) -> int:
        return len(self.points)


def _apart(low: Points, high: Points) -> Cells:
    """1 for cells of the crop apart from a head whose landmarks lie between two corners on [0, 1].
    Below its landmarks are neck and shoulders, which count.
    """
    wide, tall = high - low
    left, right = low[0] - _BESIDE * wide, high[0] + _BESIDE * wide
    edges = np.array([left, right, low[1] - _ABOVE * tall, high[1]]) * _REST
    first, last, top, bottom = np.clip(np.round(edges), 0, _REST).astype(int)
    apart = np.ones((_REST, _REST), np.uint8)
    apart[top:bottom, first:last] = 0
    return apart
