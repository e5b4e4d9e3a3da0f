"""Concealment: what to show if the motion of a frame is missing.

Everything that moves a face is a `MotionFrame`. So a missing frame is replaced by a `MotionFrame`
that is made up, and the generator needs no special case. There are two pure functions:

* `between`: both ends of the gap are known. The motion is interpolated.
* `predict`: only the past is known (a damaged payload, the end of the data). The last movement
  continues, gets slower, and stops: a face that drifts on its own looks worse than a still one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from ...codec.motion.frame import MotionFrame

__all__ = ["MotionSample", "between", "predict"]

DAMPING = 0.5
"""Share of the velocity that remains after each predicted frame; all of them add up to one step."""
MOVING_FRAMES = 4
"""Number of predicted frames that still move; after them the face stands still."""
INTERPOLATED = Fraction(1, 2)
"""Longest gap in seconds that is interpolated; in a longer one the face stands still."""


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class MotionSample(Generic[R]):
    """A motion frame and its time.

    Attributes:
        pts: presentation time in seconds.
        motion: the motion at that time.
        reference: keyframe that the jacobians are relative to. Two samples can be compared only
            if it is the same object in both.
    """

    pts: Fraction
    motion: MotionFrame
    reference: R


def predict(past: Sequence[MotionSample[R]], pts: Fraction, interval: Fraction) -> MotionFrame:
    """Motion at `pts`, from the past only.

    Args:
        past: received samples, oldest first, at least one; the last two are used.
        pts: time to predict for, in seconds, after the last sample.
        interval: nominal duration of a frame in seconds.

    Returns:
        The last motion, moved on by its own velocity, which halves with every frame and stops
        after `MOVING_FRAMES` frames; so the drift never exceeds the movement of one frame.
        The last motion itself if there is no usable velocity (only one sample, another keyframe,
        or a gap before it).
    """
    last = past[-1]
    if len(past) < 2 or past[-2].reference is not last.reference or interval <= 0:
        return last.motion
    step = last.pts - past[-2].pts
    if not 0 < step <= 2 * interval:
        return last.motion
    frames = min(max(float((pts - last.pts) / interval), 0.0), float(MOVING_FRAMES))
    # The geometric series DAMPING + DAMPING² + …, made continuous for frame times between.
    travel = DAMPING * (1 - DAMPING**frames) / (1 - DAMPING) * float(interval / step)
    before, after = past[-2].motion.numbers, last.motion.numbers
    return MotionFrame.from_numbers((after + travel * (after - before)).clip(-8, 8))


def between(start: MotionSample[R], end: MotionSample[R], pts: Fraction) -> MotionFrame:
    """Motion at `pts` in a gap of which both ends are known.

    It is linear from `start` to `end`. It stays at `start` if the gap is longer than
    `INTERPOLATED`, or if the keyframe changed in it (jacobians of different keyframes cannot be
    mixed).
    """
    length = end.pts - start.pts
    if start.reference is not end.reference or not 0 < length <= INTERPOLATED:
        return start.motion
    share = min(max(float((pts - start.pts) / length), 0.0), 1.0)
    first, last = start.motion.numbers, end.motion.numbers
    return MotionFrame.from_numbers(first + share * (last - first))
