"""Which frames of a stretch of video become references, where all of it is known in advance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .rate import MIN_PICTURE
from .references import AFTER_GAIN, KnownReferences, expected_losses

__all__ = ["MOST", "plan_references"]

Points = npt.NDArray[np.float32]
Losses = npt.NDArray[np.float64]

MOST = 12
"""References of one stretch, at most."""
WORTH = 0.05
"""Without a rate a reference pays where it lowers the loss by so much, in seconds of a loss of 1,
for each 1000 bytes: 3000 bytes for 0.03 over five seconds.
"""
_CANDIDATES = 120


def plan_references(
    points: Points,
    known: KnownReferences,
    *,
    room: int | None,
    overhead: int,
    size: int,
    fps: float,
    first: bool,
    most: int = MOST,
) -> list[int]:
    """Choose references greedily: each where it lowers the expected loss most.

    A reference serves frames from its own time on, so that a stream can be shown as it comes.

    Args:
        points: landmarks of the frames that show the face, float32 `[N, P, 2]`.
        known: references from before.
        room: bytes for all references; None: no rate is set, and each must be worth its bytes.
        overhead: bytes of a reference beside its picture.
        size: bytes of a picture where no rate is set.
        fps: frames a second.
        first: the first frame must be one, and what is known is not used.
        most: number of them at most.

    Returns:
        Their positions in `points`, ascending; with a rate, all of them share the room alike.
    """
    if not len(points):
        return []
    before = np.full(len(points), np.inf) if first else known.losses(points)
    step = -(-len(points) // _CANDIDATES)
    candidates = np.arange(0, len(points), step)
    gains = np.stack([expected_losses(points[c], points) for c in candidates])
    for row, candidate in zip(gains, candidates, strict=True):
        row[:candidate] = np.inf
    if room is None:
        worth = WORTH * fps * (size + overhead) / 1000
        chosen = _greedy(before, gains + known.picture_loss(AFTER_GAIN * size), worth, most)
        return [int(candidates[i]) for i in chosen]
    best, least = list[int](), float("inf")
    for count in range(1, most + 1):
        picture = room / count - overhead
        if picture < MIN_PICTURE and (count > 1 or not first):
            break
        gain = AFTER_GAIN if count > 1 or not first else 1.0
        losses = gains + known.picture_loss(gain * max(picture, MIN_PICTURE))
        # A head that is still gains nothing more: then the rest goes into one better picture.
        chosen = _greedy(before, losses, 0.0, count) or [int(losses.sum(1).argmin())]
        total = float(np.minimum(before, losses[chosen].min(0)).sum())
        if total < least:
            best, least = chosen, total
    return [int(candidates[i]) for i in best]


def _greedy(before: Losses, losses: Losses, worth: float, most: int) -> list[int]:
    """Rows of `losses` that lower the sum over the columns by more than `worth` each."""
    now, chosen = before, list[int]()
    if np.isinf(now).any():
        chosen, now = [0], losses[0]
    while len(chosen) < most:
        sums = np.minimum(now, losses).sum(1)
        row = int(sums.argmin())
        if now.sum() - sums[row] <= worth:
            break
        chosen.append(row)
        now = np.minimum(now, losses[row])
    return sorted(chosen)
