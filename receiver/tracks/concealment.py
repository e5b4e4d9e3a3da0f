"""Concealment: what to show where a frame's motion is missing.

Everything that moves a face is a `MotionFrame`, so a missing frame is a predicted `MotionFrame`
and the generator never knows. Two cases, both pure functions:

* `between`: the gap's both ends are known (a file, or a late packet closed the gap): linear.
* `predict`: only the past is known (damaged payload, the end of the data): the last movement
  goes on, damped, and comes to rest; a face that drifts on its own looks worse than a still one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

from ...codec.motion.frame import MotionFrame

__all__ = ["MotionSample", "between", "predict"]

DAMPING = 0.5
"""Share of the velocity that survives each predicted frame; the whole drift is then one step."""
MOVING_FRAMES = 4
"""Predicted frames that still move; after them the face is held."""
INTERPOLATED = Fraction(1, 2)
"""Longest gap in seconds that is bridged in a straight line; a longer one holds its start."""


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class MotionSample(Generic[R]):
    """A motion frame and when it was.

    Attributes:
        pts: presentation time in seconds.
        motion: the motion at that time.
        reference: keyframe that the jacobians are relative to; two moments can be compared
            only when it is the same object.
    """

    pts: Fraction
    motion: MotionFrame
    reference: R


def predict(past: Sequence[MotionSample[R]], pts: Fraction, interval: Fraction) -> MotionFrame:
    """Motion at `pts` from the past alone.

    Args:
        past: received moments, oldest first, at least one; the last two are used.
        pts: time to predict for, in seconds, after the last moment.
        interval: nominal duration of a frame in seconds.

    Returns:
        The last motion moved on by its own velocity, which halves every frame and stops after
        `MOVING_FRAMES` frames: the drift never exceeds one frame's movement. Held where there
        is no usable velocity (one moment only, another keyframe, a gap before).
    """
    last = past[-1]
    if len(past) < 2 or past[-2].reference is not last.reference or interval <= 0:
        return last.motion
    step = last.pts - past[-2].pts
    if not 0 < step <= 2 * interval:
        return last.motion
    frames = min(max(float((pts - last.pts) / interval), 0.0), float(MOVING_FRAMES))
    # Geometric series DAMPING + DAMPING² + …, continuous so that odd frame times are fine.
    travel = DAMPING * (1 - DAMPING**frames) / (1 - DAMPING) * float(interval / step)
    before, after = past[-2].motion.to_array(), last.motion.to_array()
    return MotionFrame.from_array((after + travel * (after - before)).clip(-8, 8))


def between(start: MotionSample[R], end: MotionSample[R], pts: Fraction) -> MotionFrame:
    """Motion at `pts` where both ends of the gap are known.

    Linear from `start` to `end`; held at `start` when the gap is longer than `INTERPOLATED`
    or the keyframe changed in it (jacobians of different keyframes cannot be mixed).
    """
    length = end.pts - start.pts
    if start.reference is not end.reference or not 0 < length <= INTERPOLATED:
        return start.motion
    share = min(max(float((pts - start.pts) / length), 0.0), 1.0)
    first, last = start.motion.to_array(), end.motion.to_array()
    return MotionFrame.from_array(first + share * (last - first))
