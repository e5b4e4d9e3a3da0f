"""`Appearance`: what a frame looks like, small enough to be compared with every reference.

Landmarks do not tell that a subtitle has gone, that a hand covers the face, or that the light
fades. The difference of two small luma pictures does. It is taken in two parts: the face in a box
about its landmarks, wherever that is, and the rest of the crop in place, without the cells about
either head. A cell whose value occurs in its neighbourhood in the other picture is no difference,
so that small movements do not count. Light that changes alike everywhere counts apart, and for less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...models.face.mesh import select_points
from ...models.face.observation import Observation
from .expected import expected_losses

__all__ = ["Appearance", "shown_losses"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Losses = npt.NDArray[np.float64]
Cells = npt.NDArray[np.uint8]

_FACE, _REST = 12, 24  # cells on a side of the face, and of the crop
_SIDE = 128  # pixels on a side of the picture that the cells are averaged from
_ABOVE, _BESIDE = 0.4, 0.2  # how far the head reaches beyond the landmarks, in their extents
_NOISE, _SURE = 12, 60  # grey levels up to which a cell has not changed, and from which it has
_WEIGHTS = np.repeat(
    np.array([1.0 / _FACE**2, 1.2 / _REST**2], np.float32) / (_SURE - _NOISE),
    [_FACE**2, _REST**2],
)
"""Loss for each level of each cell: 1 if all the face has changed, 1.2 if all the rest has. Fitted to
LPIPS of faces with and without bars and hands (the unit of `expected_loss`)."""
_LIGHT = 0.003  # loss for each level beyond the noise by which the light has changed
_SAMPLED = 9  # every so many cells tell the light
_EXPLAINED = 1.25
"""A change of pose changes the cells, too. So much of it, in units of its loss, does not count."""


@dataclass(frozen=True, slots=True)
class Appearance:
    """A frame, or a stack of N frames, as it is compared with references.

    Attributes:
        points: landmarks, float32 `[P, 2]` or `[N, P, 2]` on [-1, 1].
        cells: luma of the face's cells and of the crop's, uint8 `[C]` or `[N, C]`.
        low: the least value in the neighbourhood of each cell.
        high: the greatest one.
        counts: 1 for cells that can be compared, 0 for those of the crop about the head.
    """

    points: Points
    cells: Cells
    low: Cells
    high: Cells
    counts: Cells

    @classmethod
    def of(cls, seen: Observation) -> Appearance:
        """Of one observed frame."""
        return cls.of_picture(seen.picture, select_points(seen.landmarks))

    @classmethod
    def of_picture(cls, picture: Frame, points: Points) -> Appearance:
        """Of a crop, uint8 RGB `[S, S, 3]`, and its landmarks, float32 `[P, 2]` on [-1, 1]."""
        import cv2

        small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        low, high = (points.min(0) + 1) / 2, (points.max(0) + 1) / 2
        left, top = np.clip((low * _SIDE).astype(int), 0, _SIDE - _FACE)
        right, bottom = np.clip((high * _SIDE).astype(int), (left + _FACE, top + _FACE), _SIDE)
        face = cv2.resize(grey[top:bottom, left:right], (_FACE,) * 2, interpolation=cv2.INTER_AREA)
        rest = cv2.resize(grey, (_REST,) * 2, interpolation=cv2.INTER_AREA)
        near = np.ones((3, 3), np.uint8)
        return cls(
            points,
            np.concatenate([face.ravel(), rest.ravel()]),
            np.concatenate([cv2.erode(part, near).ravel() for part in (face, rest)]),
            np.concatenate([cv2.dilate(part, near).ravel() for part in (face, rest)]),
            np.concatenate([np.ones(_FACE**2, np.uint8), _apart(low, high).ravel()]),
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
        )

    def __getitem__(self, index: int) -> Appearance:
        """One frame of a stack."""
        return Appearance(
            self.points[index],
            self.cells[index],
            self.low[index],
            self.high[index],
            self.counts[index],
        )

    def __len__(self) -> int:
        return len(self.points)


def shown_losses(reference: Appearance, frames: Appearance) -> Losses:
    """What each frame of a stack is expected to lose if a reference is shown in its place, animated:
    by the change of pose (`expected_losses`), and by what the reference's picture does not have.

    Returns:
        Float64 `[N]`, in units of `expected_loss`.
    """
    poses = expected_losses(reference.points, frames.points)
    return poses + np.maximum(_differences(reference, frames) - _EXPLAINED * poses, 0)


def _differences(reference: Appearance, frames: Appearance) -> Losses:
    """The weighted part of the cells that differ, `[N]`."""
    light = _light(reference, frames)[:, None]
    cells, low, high = (
        np.clip(part + light, 0, 255).astype(np.uint8)
        for part in (reference.cells, reference.low, reference.high)
    )
    # Unsigned numbers: max(a, b) - b is what a exceeds b by.
    levels = np.maximum(frames.cells, high) - high
    levels = np.maximum(levels, low - np.minimum(frames.cells, low))
    levels = np.maximum(levels, np.maximum(cells, frames.high) - frames.high)
    levels = np.maximum(levels, frames.low - np.minimum(cells, frames.low))
    levels = np.clip(levels, _NOISE, _SURE) - np.uint8(_NOISE)
    changed = (levels * (reference.counts & frames.counts)) @ _WEIGHTS
    return changed + _LIGHT * np.maximum(np.abs(light[:, 0]) - _NOISE, 0)


def _light(reference: Appearance, frames: Appearance) -> npt.NDArray[np.int16]:
    """By how many grey levels the frames are brighter than the reference, `[N]`: the median of the
    cells, which a bar or a hand moves little.
    """
    some = slice(None, None, _SAMPLED)
    change = frames.cells[:, some].astype(np.int16) - reference.cells[some]
    middle = change.shape[1] // 2
    return np.partition(change, middle, axis=1)[:, middle]


def _apart(low: Points, high: Points) -> Cells:
    """1 for cells of the crop apart from a head whose landmarks lie between two corners on [0, 1];
    below its landmarks are neck and shoulders, which count.
    """
    wide, tall = high - low
    left, right = low[0] - _BESIDE * wide, high[0] + _BESIDE * wide
    edges = np.array([left, right, low[1] - _ABOVE * tall, high[1]]) * _REST
    first, last, top, bottom = np.clip(np.round(edges), 0, _REST).astype(int)
    apart = np.ones((_REST, _REST), np.uint8)
    apart[top:bottom, first:last] = 0
    return apart
