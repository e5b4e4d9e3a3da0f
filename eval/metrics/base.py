"""What every metric is: fed with pairs of frames, asked for one number at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ...sender.tracking.tracker import Face

__all__ = ["BOXES", "Box", "Frame", "MeanMetric", "Metric", "Pair"]

Frame = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]

BOXES = ("whole", "face", "mouth", "eyes")
"""Parts of a picture that are measured apart; all are found in the true frame."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A true frame and the decoded one of the same time stamp.

    Attributes:
        index: number of the frame in its clip, from 0.
        truth: uint8 RGB `[H, W, 3]`.
        frame: likewise, as decoded.
        truth_face: the face tracked in the true frame, with pose and blink; None: there is none.
        face: likewise in the decoded frame.
        boxes: x0, y0, x1, y1 in pixels for each of `BOXES`; only `whole` where the true frame
            shows no face.
    """

    index: int
    truth: Frame
    frame: Frame
    truth_face: Face | None = None
    face: Face | None = None
    boxes: dict[str, Box] = field(default_factory=dict)

    def cut(self, box: str) -> tuple[Frame, Frame] | None:
        """The true and the decoded picture inside a box, contiguous; None without that box."""
        if box not in self.boxes:
            return None
        x0, y0, x1, y1 = self.boxes[box]
        return (
            np.ascontiguousarray(self.truth[y0:y1, x0:x1]),
            np.ascontiguousarray(self.frame[y0:y1, x0:x1]),
        )


class Metric(Protocol):
    """One number of one clip.

    Attributes:
        higher_is_better: which way is good.
        unit: for tables, empty where there is none.
    """

    higher_is_better: ClassVar[bool]
    unit: ClassVar[str]

    def update(self, pair: Pair) -> None:
        """Take the next pair; pairs come in order of time."""

    def compute(self) -> float:
        """The figure over all pairs; NaN where nothing could be measured."""


class MeanMetric:
    """Mean of one value a pair; memory does not grow."""

    higher_is_better: ClassVar[bool] = False
    unit: ClassVar[str] = ""

    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """Count one value; NaN is left out."""
        if np.isfinite(value):
            self._sum += value
            self._count += 1

    def compute(self) -> float:
        """The mean; NaN without any value."""
        return self._sum / self._count if self._count else float("nan")
