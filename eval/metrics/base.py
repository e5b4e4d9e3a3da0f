"""What every metric is: fed with pairs of frames, asked for one number at the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ...sender.tracking.tracker import Face
from ..clips import Frame

__all__ = ["BOXES", "Box", "Frame", "Mean", "MeanInParts", "MeanMetric", "Metric", "Pair"]

Box = tuple[int, int, int, int]

BOXES = ("whole", "face", "mouth", "eyes")
"""Parts of a picture that are measured apart; all are found in the true frame."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A true frame and the decoded one of the same time stamp.

    Attributes:
        index: number of the frame in its clip, from 0.
        truth: uint8 RGB `[H, W, 3]`.
        frame: the decoded frame, of the same shape.
        truth_face: the face tracked in the true frame, with pose and blink; None: there is none.
        face: the face tracked in the decoded frame.
        boxes: x0, y0, x1, y1 in pixels for each of `BOXES`; only `whole` where the true frame
            shows no face.
    """

    index: int
    truth: Frame
    frame: Frame
    truth_face: Face | None = None
    face: Face | None = None
    boxes: dict[str, Box] = field(default_factory=dict)

    @property
    def faces(self) -> tuple[Face, Face] | None:
        """The true and the decoded face; None where one of the frames shows none."""
        if self.truth_face is None or self.face is None:
            return None
        return self.truth_face, self.face

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
    """One number of one clip. `catalogue` says its unit and which way is better."""

    def update(self, pair: Pair) -> None:
        """Take the next pair; pairs come in order of time."""

    def compute(self) -> float:
        """The figure over all pairs; NaN where nothing could be measured."""


class MeanMetric:
    """Mean of the values that are added; memory does not grow."""

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


class Mean(MeanMetric):
    """Mean over the pairs of a clip of a function of one pair.

    Args:
        value: takes a pair and `settings`; NaN where the pair cannot be measured.
        settings: passed on to it.
    """

    def __init__(self, value: Callable[..., float], *settings: object) -> None:
        super().__init__()
        self._value, self._settings = value, settings

    def update(self, pair: Pair) -> None:
        """Count one pair."""
        self.add(self._value(pair, *self._settings))


class MeanInParts(Mean):
    """The same, and also of what lies before a frame and from it on: a call begins with nothing
    and becomes better, so that its first seconds say little about the rest.

    Args:
        border: number of the first frame of the second part.
        value, settings: as in `Mean`.
    """

    def __init__(self, border: int, value: Callable[..., float], *settings: object) -> None:
        super().__init__(value, *settings)
        self._border = border
        self._parts = MeanMetric(), MeanMetric()

    def update(self, pair: Pair) -> None:
        """Count one pair."""
        value = self._value(pair, *self._settings)
        self.add(value)
        self._parts[pair.index >= self._border].add(value)

    def first(self) -> float:
        """The mean before the border; NaN if there is nothing behind it."""
        return self._parts[0].compute() if np.isfinite(self.later()) else float("nan")

    def later(self) -> float:
        """The mean from the border on; NaN if there is nothing."""
        return self._parts[1].compute()
