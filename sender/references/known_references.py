"""`KnownReferences`: the references that the receiver has, and which of them suits a frame best."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from ..appearance import Appearance
from .expected import USUAL
from .reference import Reference
from .shown_losses import losses_between

__all__ = ["KnownReferences"]

Losses = npt.NDArray[np.float64]

_HOLD = 0.01
"""Another reference must lose less by this much, because a change costs bits and can be seen."""


class KnownReferences:
    """The references that the receiver has. When full, it drops the least recently used.

    Args:
        room: how many it holds at most.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._known: OrderedDict[int, Reference] = OrderedDict()
        self._current: Reference | None = None
        self._newest: Reference | None = None
        self._stacked: tuple[list[Reference], Appearance | None] = [], None  # what they look like

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._known.values())

    def __contains__(self, identity: int) -> bool:
        return identity in self._known

    def holds(self, reference: Reference) -> bool:
        """Whether this very reference is among them, and not another with its id."""
        return self._known.get(reference.id) is reference

    def add(self, reference: Reference) -> None:
        """Report that the receiver has this reference, too."""
        self._known[reference.id] = self._newest = reference
        if len(self._known) > self._room:
            self._known.popitem(last=False)

    def clear(self) -> None:
        """Forget all of them."""
        self._known.clear()
        self._current = None

    def picture_loss(self, size: float) -> float:
        """What one more picture of `size` bytes is expected to lose, if it is as hard to code as
        the newest was.
        """
        return USUAL(size) * (1.0 if self._newest is None else self._newest.hardness)

    def losses(
        self, frames: Appearance, also: Iterable[Reference] = (), *, pictures: bool = True
    ) -> Losses:
        """What each frame of a stack of N is expected to lose if the best reference shows it.

        Args:
            frames: the stack.
            also: references to be considered beside the known ones.
            pictures: count what the references' pictures lost when they were coded.

        Returns:
            Float64 `[N]`; infinite if there is no reference.
        """
        references = [*self, *also]
        if not references:
            return np.full(len(frames), np.inf)
        return np.asarray(self._each(references, frames, pictures=pictures).min(0))

    def best(self, look: Appearance) -> Reference | None:
        """The reference for a frame: the one chosen last, unless another is clearly better."""
        if not self._known:
            return None
        references = [*self]
        losses = self._each(references, Appearance.stack([look]))[:, 0]
        best = int(losses.argmin())
        current = self._current
        if (
            current is None
            or not self.holds(current)
            or losses[best] < losses[references.index(current)] - _HOLD
        ):
            current = references[best]
        self._current = current
        self._known.move_to_end(current.id)
        return current

    def _each(
        self, references: list[Reference], frames: Appearance, *, pictures: bool = True
    ) -> Losses:
        """What each frame loses if it is shown from each of at least one reference; `[M, N]`."""
        of, looks = self._stacked
        if looks is None or of != references:
            looks = Appearance.stack([one.look for one in references])
            self._stacked = references, looks
        losses = losses_between(looks, frames)
        return losses + [[one.loss] for one in references] if pictures else losses
