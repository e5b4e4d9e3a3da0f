"""Which frames of a stretch of video become references, where all of it is known in advance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..rate import MIN_PICTURE
from .expected import AFTER_GAIN, USUAL, PictureLoss, expected_losses, typical

__all__ = ["MOST", "Planned", "plan_references"]

Points = npt.NDArray[np.float32]
Losses = npt.NDArray[np.float64]

MOST = 12
"""References of one stretch, at most."""
WORTH = 0.035
"""Without a rate a reference pays where it lowers the loss by so much, in seconds of a loss of 1,
for each 1000 bytes: 3000 bytes for 0.02 over five seconds.
"""
_CANDIDATES = 120
_ROUNDS = 3  # of exchanges


@dataclass(frozen=True, slots=True)
class Planned:
    """A reference to be sent.

    Attributes:
        use: the frame before which it is sent, the first that it serves best.
        frame: the frame that it shows, of any moment.
        picture: bytes for its picture.
        loss: what that is expected to lose.
    """

    use: int
    frame: int
    picture: float
    loss: float


def plan_references(
    points: Points,
    before: Losses,
    *,
    room: int | None,
    overhead: int,
    size: int,
    fps: float,
    first: bool,
    pictures: PictureLoss = USUAL,
    most: int = MOST,
) -> list[Planned]:
    """Choose references greedily, each where it lowers the expected loss most, then exchange them
    while that lowers it; all numbers of them that the room allows are tried. A reference may show
    a later moment than the frames that it serves: all of them are known.

    Args:
        points: landmarks of the frames that show the face, float32 `[N, P, 2]`.
        before: what references from before lose on each, `[N]`; infinite where there is none.
        room: bytes for all references, without what one to join at takes beyond another; None: no
            rate is set, and each must be worth its bytes.
        overhead: bytes of a reference beside its picture.
        size: bytes of a picture where no rate is set.
        fps: frames a second.
        first: the first frame must have one, and what is known is not used.
        pictures: what pictures of this face lose.
        most: number of them at most.

    Returns:
        In the order in which they are used; with a rate, the more frames one serves the more of
        the room it has.
    """
    if not len(points):
        return []
    if first:
        before = np.full(len(points), np.inf)
    frames = np.arange(0, len(points), -(-len(points) // _CANDIDATES))
    poses = np.stack([expected_losses(points[frame], points) for frame in frames])
    worth = WORTH * fps * (size + overhead) / 1000 if room is None else 0.0
    best, least = list[Planned](), float(before.sum())
    for count in range(1, most + 1):
        each = size if room is None else room / count - overhead
        if room is not None and each < MIN_PICTURE and (count > 1 or not first):
            break
        gain = AFTER_GAIN if count > 1 or not first else 1.0
        losses = poses + pictures(gain * max(each, MIN_PICTURE))
        # A head that is still gains nothing more: then the rest goes into one better picture.
        rows = _choose(before, losses, count) or [int(losses.sum(1).argmin())]
        sizes = np.full(len(rows), float(max(size, MIN_PICTURE)))
        if room is not None:
            sizes = _share(before, losses[rows], room - overhead * len(rows), first, pictures)
        found, total = _arrange(before, poses[rows], frames[rows], sizes, first, pictures)
        total += worth * len(found)
        if total < least:
            best, least = found, total
    if not best and room is not None and (rest := room - overhead) >= MIN_PICTURE:
        # Nothing is expected to be better than what is known; what is left makes it sure.
        best = [Planned(0, typical(points), rest, pictures(AFTER_GAIN * rest))]
    return best


def _choose(before: Losses, losses: Losses, most: int) -> list[int]:
    """Rows of `losses` that lower the sum over the columns."""
    now, rows = before, list[int]()
    while len(rows) < most:
        sums = np.minimum(now, losses).sum(1)
        row = int(sums.argmin())
        if now.sum() <= sums[row]:
            break
        rows.append(row)
        now = np.minimum(now, losses[row])
    for _ in range(_ROUNDS if len(rows) > 1 else 0):
        earlier = list(rows)
        for place in range(len(rows)):
            others = np.minimum(before, losses[rows[:place] + rows[place + 1 :]].min(0))
            rows[place] = int(np.minimum(others, losses).sum(1).argmin())
        if rows == earlier:
            break
    return sorted(set(rows))


def _share(
    before: Losses, losses: Losses, room: float, first: bool, pictures: PictureLoss
) -> Losses:
    """Bytes of each row's picture: what it loses is a power of its bytes, and is lost in all
    frames that it serves.
    """
    serves = losses.argmin(0)
    counts = np.bincount(serves[losses.min(0) < before], minlength=len(losses)).clip(1)
    fall = pictures.fall
    weights = (counts * _gains(serves, len(losses), first) ** -fall) ** (1 / (1 + fall))
    over = np.maximum(max(room, 0.0) * weights / weights.sum() - MIN_PICTURE, 1.0)
    free = max(room - MIN_PICTURE * len(losses), 0.0)
    return np.asarray(MIN_PICTURE + free * over / over.sum())


def _gains(serves: npt.NDArray[np.intp], count: int, first: bool) -> Losses:
    """Of each picture, the first of all is a still, others are coded after it."""
    gains = np.full(count, AFTER_GAIN)
    if first:
        gains[serves[0]] = 1.0
    return gains


def _arrange(
    before: Losses,
    poses: Losses,
    frames: npt.NDArray[np.intp],
    sizes: Losses,
    first: bool,
    pictures: PictureLoss,
) -> tuple[list[Planned], float]:
    """References in the order of their use, those that no frame needs left out; and what all
    frames lose with them.
    """
    if not len(frames):
        return [], float(before.sum())
    gains = _gains(poses.argmin(0), len(frames), first)
    lost = np.array([pictures(size) for size in gains * sizes])
    losses = poses + lost[:, None]
    serves, now = losses.argmin(0), losses.min(0)
    uses = ((int(n), np.flatnonzero((serves == n) & (now < before))) for n in range(len(frames)))
    planned = [
        Planned(int(use[0]), int(frames[n]), float(sizes[n]), float(lost[n]))
        for n, use in uses
        if len(use)
    ]
    return sorted(planned, key=lambda one: one.use), float(np.minimum(before, now).sum())
