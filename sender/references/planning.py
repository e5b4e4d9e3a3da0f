"""Which frames of a stretch of video become references, where all of it is known in advance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..appearance import Appearance
from ..rate.control import MIN_PICTURE, MOST
from .expected import AFTER_GAIN, USUAL, PictureLoss, typical
from .shown_losses import shown_losses

__all__ = [
    "WORTH",
    "Budget",
    "Losses",
    "Planned",
    "expected_with",
    "plan_references",
]

Losses = npt.NDArray[np.float64]

WORTH = 0.035
"""Where no rate is set, a reference pays if it lowers the loss by this much for each 1000 bytes.
The unit is seconds of a loss of 1: 3000 bytes pay if they lower it by 0.02 over five seconds.
"""
_CANDIDATES = 120
_TOO_LOW = 0.038  # by so much a loss is estimated too low, on average
_ROUNDS = 3  # of exchanges


@dataclass(frozen=True, slots=True)
class Budget:
    """What references of a stretch may cost.

    Attributes:
        room: bytes for all of them, without what a join keyframe takes beyond another reference;
            None where no rate is set, so that each reference must be worth its bytes.
        overhead: bytes of a reference beside its picture.
        size: bytes of a picture where no rate is set.
        most: number of references at most.
    """

    room: int | None
    overhead: int
    size: int
    most: int = MOST


@dataclass(frozen=True, slots=True)
class Planned:
    """A reference to be sent.

    Attributes:
        use: the frame before which it is sent: the first that it serves best.
        frame: the frame that it shows, which may be any of the stretch.
        picture: bytes for its picture.
        loss: what that picture is expected to lose.
    """

    use: int
    frame: int
    picture: float
    loss: float


def plan_references(
    looks: Appearance,
    before: Losses,
    budget: Budget,
    *,
    fps: float,
    first: bool,
    pictures: PictureLoss = USUAL,
) -> list[Planned]:
    """Choose the references of a stretch so that its frames lose least.

    Every number of references that the budget allows is tried. They are chosen greedily, each
    where it lowers the expected loss most, and then exchanged while that lowers it further. A
    reference may show a later moment than the frames that it serves, since all are known.

    Args:
        looks: the frames, a stack of N.
        before: what each frame loses with the references from before, `[N]`; infinite where there
            are none.
        budget: of the stretch.
        fps: frames a second.
        first: the first frame must have a reference, and those from before are not used.
        pictures: what pictures of this face lose.

    Returns:
        The references in the order of their use. With a rate, one that serves more frames gets
        more of the room.
    """
    if not len(looks):
        return []
    if first:
        before = np.full(len(looks), np.inf)
    frames = np.arange(0, len(looks), -(-len(looks) // _CANDIDATES))
    shown = np.stack([shown_losses(looks[int(frame)], looks) for frame in frames])
    plan = _Plan(before, frames, shown, budget, fps, first, pictures).best()
    rest = None if budget.room is None else budget.room - budget.overhead
    if not plan and rest is not None and rest >= MIN_PICTURE:
        # No reference is expected to be better than the known ones. One more picture uses up
        # what is left, in case the estimate is wrong.
        return [Planned(0, typical(looks.points), rest, pictures(AFTER_GAIN * rest))]
    return plan


def expected_with(planned: Sequence[Planned], looks: Appearance, before: Losses) -> float:
    """What the frames of a stretch are expected to lose on average with planned references.

    Args:
        planned: at least one, unless `before` is finite.
        looks: the frames, a stack of N.
        before: what each frame loses with the references from before, `[N]`.

    Returns:
        In the unit of `expected_loss`, and not too low as that is (docs/rate.md).
    """
    each = [shown_losses(looks[one.frame], looks) + one.loss for one in planned]
    return float(np.min([before, *each], axis=0).mean()) + _TOO_LOW


@dataclass(frozen=True, slots=True)
class _Plan:
    """The arguments of `plan_references`, and for C candidates the frames that they show and what
    each of N frames loses if a candidate shows it, by pose and appearance alone.
    """

    before: Losses  # [N]
    frames: npt.NDArray[np.intp]  # [C]
    shown: Losses  # [C, N]
    budget: Budget
    fps: float
    first: bool
    pictures: PictureLoss

    def best(self) -> list[Planned]:
        """The plan that loses least; empty if no reference pays."""
        budget, worth = self.budget, 0.0
        if budget.room is None:
            worth = WORTH * self.fps * (budget.size + budget.overhead) / 1000
        best, least = list[Planned](), float(self.before.sum())
        for count in range(1, budget.most + 1):
            each = self._each(count)
            if each is None:
                break
            found, loss = self._with(count, each)
            if (total := loss + worth * len(found)) < least:
                best, least = found, total
        return best

    def _each(self, count: int) -> float | None:
        """Bytes for each of so many pictures; None if they would be too small."""
        if self.budget.room is None:
            return float(max(self.budget.size, MIN_PICTURE))
        each = self.budget.room / count - self.budget.overhead
        if each >= MIN_PICTURE:
            return each
        return float(MIN_PICTURE) if self.first and count == 1 else None  # one is needed anyway

    def _with(self, count: int, each: float) -> tuple[list[Planned], float]:
        """The best plan of so many references at most, and what all frames lose with it."""
        still = self.first and count == 1
        losses = self.shown + self.pictures(each if still else AFTER_GAIN * each)
        # If no candidate lowers the loss the head is still: one better picture gets all the room.
        rows = _choose(self.before, losses, count) or [int(losses.sum(1).argmin())]
        return self._arrange(rows, self._sizes(losses[rows], each))

    def _sizes(self, losses: Losses, each: float) -> Losses:
        """Bytes of the chosen pictures. What a picture loses falls by a power of its bytes, and
        every frame that it serves loses it, so more frames get it more bytes.

        Args:
            losses: of the chosen candidates with pictures of equal size, `[R, N]`.
            each: that size.
        """
        count = len(losses)
        if self.budget.room is None:
            return np.full(count, each)
        room = self.budget.room - self.budget.overhead * count
        serves = losses.argmin(0)
        served = np.bincount(serves[losses.min(0) < self.before], minlength=count).clip(1)
        fall = self.pictures.fall
        weights = (served * self._gains(serves, count) ** -fall) ** (1 / (1 + fall))
        over = np.maximum(max(room, 0.0) * weights / weights.sum() - MIN_PICTURE, 1.0)
        free = max(room - MIN_PICTURE * count, 0.0)
        return np.asarray(MIN_PICTURE + free * over / over.sum())

    def _gains(self, serves: npt.NDArray[np.intp], count: int) -> Losses:
        """How much a byte of each picture is worth: the first of all is a still, and those that
        are coded after it need fewer bytes. `serves` says which picture each frame uses.
        """
        gains = np.full(count, AFTER_GAIN)
        if self.first:
            gains[serves[0]] = 1.0
        return gains

    def _arrange(self, rows: list[int], sizes: Losses) -> tuple[list[Planned], float]:
        """References that show the candidates of these rows, in the order of their use and without
        those that no frame needs; and what all frames lose with them.
        """
        shown = self.shown[rows]
        gains = self._gains(shown.argmin(0), len(rows))
        lost = np.array([self.pictures(size) for size in gains * sizes])
        losses = shown + lost[:, None]
        serves, now = losses.argmin(0), losses.min(0)
        planned = []
        for n, frame in enumerate(self.frames[rows]):
            uses = np.flatnonzero((serves == n) & (now < self.before))
            if len(uses):
                planned.append(Planned(int(uses[0]), int(frame), float(sizes[n]), float(lost[n])))
        total = float(np.minimum(self.before, now).sum())
        return sorted(planned, key=lambda one: one.use), total


def _choose(before: Losses, losses: Losses, most: int) -> list[int]:
    """Rows of `losses` `[C, N]` that together lower the sum of `before` `[N]` most."""
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
