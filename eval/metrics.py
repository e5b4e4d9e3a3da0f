"""Metrics as objects: `update` with frames, `compute` at the end.

Each has `higher_is_better`. Frames are uint8 RGB `[H, W, 3]`; landmarks float32 `[478, 2]` in
pixels. What a metric needs beside frames (a perceptual network, a tracker) is given to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..models.mesh import LEFT_EYE, MOUTH, RIGHT_EYE

__all__ = ["Box", "LandmarkDistance", "Metric", "Opening", "PairDistance", "Psnr", "face_box"]

Frame = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]

# Vertical pairs of the lids and of the inner lips, and the widths that they are divided by.
_LIDS = ((159, 145, 33, 133), (386, 374, 263, 362))
_LIPS = ((13, 14, 78, 308),)


class Metric(Protocol):
    """One number of a run."""

    higher_is_better: ClassVar[bool]

    def compute(self) -> float:
        """The mean over all updates; NaN without any."""


def face_box(landmarks: Points, shape: tuple[int, ...]) -> Box:
    """The mesh's bounding box inside the picture, at least 16 pixels: x0, y0, x1, y1."""
    height, width = shape[:2]
    limit = np.array([width, height])
    low = np.clip(np.floor(landmarks.min(0)), 0, limit - 16).astype(int)
    high = np.clip(np.ceil(landmarks.max(0)), low + 16, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


class _Mean:
    def __init__(self) -> None:
        self._values: list[float] = []

    def compute(self) -> float:
        """The mean over all updates; NaN without any."""
        return float(np.mean(self._values)) if self._values else float("nan")


class Psnr(_Mean):
    """Peak signal-to-noise ratio of RGB in dB, the mean of each frame's; at most 60 a frame."""

    higher_is_better: ClassVar[bool] = True

    def update(self, truth: Frame, frame: Frame, box: Box | None = None) -> None:
        """Compare two frames, in a box where one is given."""
        x0, y0, x1, y1 = box or (0, 0, truth.shape[1], truth.shape[0])
        first = truth[y0:y1, x0:x1].astype(np.float64)
        error = float(((first - frame[y0:y1, x0:x1]) ** 2).mean())
        self._values.append(min(60.0, 10 * np.log10(255**2 / max(error, 1e-12))))


class PairDistance(_Mean):
    """Mean of a distance between frames, for example LPIPS (arXiv 1801.03924)."""

    higher_is_better: ClassVar[bool] = False

    def __init__(self, distance: Callable[[Frame, Frame], float]) -> None:
        super().__init__()
        self._distance = distance

    def update(self, truth: Frame, frame: Frame, box: Box | None = None) -> None:
        """Compare two frames, in a box where one is given."""
        x0, y0, x1, y1 = box or (0, 0, truth.shape[1], truth.shape[0])
        part = np.ascontiguousarray(truth[y0:y1, x0:x1]), np.ascontiguousarray(frame[y0:y1, x0:x1])
        self._values.append(self._distance(*part))


class LandmarkDistance(_Mean):
    """Landmark distance (LMD): mean distance in pixels of landmarks tracked in both frames.

    Args:
        part: `mouth` (40 contour points), `eyes` (32), or `face` (all 468).
        aligned: take the mean offset of the part out first, so that the shape alone counts.
    """

    higher_is_better: ClassVar[bool] = False
    PARTS: ClassVar[dict[str, tuple[int, ...]]] = {
        "mouth": MOUTH,
        "eyes": (*RIGHT_EYE, *LEFT_EYE),
        "face": tuple(range(468)),
    }

    def __init__(self, part: str, *, aligned: bool = False) -> None:
        super().__init__()
        self._index, self._aligned = list(self.PARTS[part]), aligned

    def update(self, truth: Points, found: Points) -> None:
        """Compare landmarks `[478, 2]` in pixels."""
        first, second = truth[self._index], found[self._index]
        if self._aligned:
            first, second = first - first.mean(0), second - second.mean(0)
        self._values.append(float(np.linalg.norm(first - second, axis=-1).mean()))


class Opening(_Mean):
    """Error of an opening, relative to its width: eyelids (`eyes`) or inner lips (`mouth`).

    Of the eyes it is the blink error of APB2Face (ABE: eye height over width).
    """

    higher_is_better: ClassVar[bool] = False

    def __init__(self, part: str) -> None:
        super().__init__()
        self._pairs = _LIDS if part == "eyes" else _LIPS
        self.truth: list[float] = []
        self.found: list[float] = []

    def _opening(self, points: Points) -> float:
        ratios = [
            np.linalg.norm(points[up] - points[down])
            / max(float(np.linalg.norm(points[left] - points[right])), 1e-6)
            for up, down, left, right in self._pairs
        ]
        return float(np.mean(ratios))

    def update(self, truth: Points, found: Points) -> None:
        """Compare landmarks `[478, 2]` in pixels."""
        self.truth.append(self._opening(truth))
        self.found.append(self._opening(found))
        self._values.append(abs(self.truth[-1] - self.found[-1]))

    def correlation(self) -> float:
        """Pearson correlation of the two openings over time; NaN where one never moves."""
        if len(self.truth) < 3 or np.std(self.truth) < 1e-6 or np.std(self.found) < 1e-6:
            return float("nan")
        return float(np.corrcoef(self.truth, self.found)[0, 1])
