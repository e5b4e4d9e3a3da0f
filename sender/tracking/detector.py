"""`Detector`: where faces are in a picture (BlazeFace, Bazarevsky et al. 2019, short range)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from .cutter import Cutter
from .networks import DETECTOR_SIZE, load_network
from .region import Region, upright

__all__ = ["Detector", "anchors", "merge"]

Frame = npt.NDArray[np.uint8]
Array = npt.NDArray[np.float32]

_GRIDS = ((8, 2), (16, 6))  # stride in pixels, boxes at each place of the grid
_UNIT = np.float32(2 / 255)
_SAME = 0.5  # boxes that overlap more are of one face
_MARGIN = 1.5  # region of the landmark network, in boxes
_BOX, _RIGHT_EYE, _LEFT_EYE = slice(0, 4), slice(4, 6), slice(6, 8)


class Detector:
    """Finds faces that take up about an eighth of the picture or more.

    Args:
        path: `face_landmarker.task`.

    Raises:
        WeightsError: not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._cutter = Cutter(DETECTOR_SIZE, repeat_edge=False)
        self._network = load_network(path, "detector")
        self._anchors = anchors()

    def detect(self, frame: Frame, most: int) -> list[Region]:
        """Regions for the landmark network, surest face first.

        Args:
            frame: uint8 RGB `[H, W, 3]`.
            most: so many regions at most.
        """
        height, width = frame.shape[:2]
        side = max(height, width)
        whole = Region(width / 2, height / 2, side, side)
        np.multiply(self._cutter.cut(frame, whole), _UNIT, out=self._network.input[0])
        self._network.input[:] -= 1
        raw, logits = (output[0] for output in self._network.run())
        sure = np.flatnonzero(logits[:, 0] > 0)  # a logit of 0 is the score 0.5
        boxes = raw[sure] / DETECTOR_SIZE  # centre, size, then six points, eyes first
        boxes[:, :2] += self._anchors[sure]
        boxes[:, 4:] += np.tile(self._anchors[sure], 6)
        scores = 1 / (1 + np.exp(-logits[sure, 0]))
        corner = np.array([whole.x, whole.y], np.float32) - side / 2
        return [_region(face * side, corner) for face in merge(boxes, scores)[:most]]


def _region(face: Array, corner: Array) -> Region:
    x, y, width, height = face[_BOX].tolist()
    angle = upright(face[_RIGHT_EYE], face[_LEFT_EYE])
    box = Region(x + float(corner[0]), y + float(corner[1]), width, height, angle)
    return box.scaled(_MARGIN)


def anchors() -> Array:
    """Places from which the network measures its boxes, float32 `[896, 2]` (x, y) on [0, 1]: the
    middles of two grids, row by row, each as often as it has boxes there.
    """
    grids = []
    for stride, boxes in _GRIDS:
        count = DETECTOR_SIZE // stride
        middles = (np.arange(count, dtype=np.float32) + 0.5) / count
        y, x = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), boxes, axis=0))
    return np.concatenate(grids)


def merge(boxes: Array, scores: Array) -> list[Array]:
    """Merge boxes of the same face: the mean of those that overlap the surest, by their scores.

    Args:
        boxes: float32 `[N, 4 + 2K]`: centre, size, and K points.
        scores: float32 `[N]`.

    Returns:
        One `[4 + 2K]` for each face, surest first.
    """
    left = np.argsort(-scores, kind="stable")
    faces = []
    while len(left):
        near = _overlap(boxes[left], boxes[left[0]]) > _SAME
        if not near.any():  # a box without area overlaps nothing, itself included
            left = left[1:]
            continue
        same = left[near]
        weights = scores[same] / scores[same].sum()
        faces.append((boxes[same] * weights[:, None]).sum(0))
        left = left[~near]
    return faces


def _overlap(boxes: Array, one: Array) -> Array:
    """Intersection over union of boxes `[N, 4+]` (centre, size) with one `[4+]`."""
    low = np.maximum(boxes[:, :2] - boxes[:, 2:4] / 2, one[:2] - one[2:4] / 2)
    high = np.minimum(boxes[:, :2] + boxes[:, 2:4] / 2, one[:2] + one[2:4] / 2)
    both = np.clip(high - low, 0, None).prod(1)
    union = boxes[:, 2:4].prod(1) + one[2:4].prod() - both
    return np.where(union > 0, both / np.where(union > 0, union, 1), 0).astype(np.float32)
