"""`Reenactment`: observed frames of a driver become frames of a portrait that moves as he does.

Motion is relative to the moment when both faces are most alike. Of a stretch of a file that is
planned together, all frames are looked at first. In a call the best moment so far counts, and where
a better one comes, what is relative to it follows within a second, without a jump.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...models.face.mesh import openings
from ...models.face.observation import Observation
from ..observed import ObservedFrame, View
from .head import Head, HeadFinder
from .owner import Owner
from .sitter import Sitter
from .transfer import Transfer, unlikeness

__all__ = ["Reenactment"]

_log = logging.getLogger(__name__)
_SETTLE_S = 0.3  # time constant with which a better moment is followed
_BETTER = 0.97  # how much more alike a moment is that takes the place of the last one
_REMEMBERED = 500  # frames that say how far the eyes are open
_USUAL, _OPEN = 0.95, 0.8  # their quantile of open eyes, and the part of it that is open
_PER_OPENING = 15.0  # cm that an eye counts which is shut by its whole width


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A moment of the driver to which motion may be relative.

    Attributes:
        head: his head.
        unlike: see `unlikeness`.
        eyes: how far they are open, over their widths.
    """

    head: Head
    unlike: float
    eyes: float

    @classmethod
    def of(cls, portrait: Head, head: Head, seen: Observation) -> _Candidate:
        """Of an observed frame."""
        return cls(head, unlikeness(portrait, head), float(openings(seen.landmarks)[0]))

    def loss(self, usual: float) -> float:
        """How bad it is as the moment to which motion is relative, in squared cm: the portrait's
        eyes are open, so his must be too, as far as is `usual` with him.
        """
        return self.unlike + (_PER_OPENING * max(_OPEN * usual - self.eyes, 0.0)) ** 2


class Reenactment:
    """Moves one portrait; one a stream.

    Args:
        sitter: the person in the portrait.
        heads: finds the driver's head.
        owner: says whether the driver is that person; None where consent is given.
    """

    def __init__(self, sitter: Sitter, heads: HeadFinder, owner: Owner | None) -> None:
        self._sitter, self._heads, self._owner = sitter, heads, owner
        self.reset()

    def reset(self) -> None:
        """Another driver: nothing of the last one holds."""
        self._eyes: deque[float] = deque(maxlen=_REMEMBERED)  # how far they were open lately
        self._alike: _Candidate | None = None
        self._best: Transfer | None = None
        self._now: Transfer | None = None
        self._seconds = 0.0
        self._refused = False
        if self._owner is not None:
            self._owner.reset()

    def show(self, frames: Sequence[ObservedFrame], *, live: bool) -> list[ObservedFrame]:
        """The portrait in place of the driver.

        Args:
            frames: the next frames, in order. Only the first one with a face may be of somebody
                new.
            live: they belong to a call. What must not be shown is then left out; otherwise it ends
                the stream.

        Returns:
            The same frames with the portrait's picture, appearance and landmarks, whose `steady`
            landmarks move; without a view where no face was found, so that the last motion stays,
            and where the portrait must not be moved.

        Raises:
            ConsentError: in a file, the driver is not the person in the portrait.
            ConfigError, MediaError: the face cannot be used, see `HeadFinder.find`.
        """
        heads: list[Head | None] = []
        moments: list[_Candidate] = []
        for frame in frames:
            if frame.anew:
                self.reset()
            seen = None if frame.view is None or frame.view.faceless else frame.view.seen
            head = None if seen is None else self._heads.find(seen)
            if seen is not None and self._owner is not None and not live:
                self._owner.admits(seen)
            if head is not None and seen is not None:
                moments.append(_Candidate.of(self._sitter.head, head, seen))
            heads.append(head)
        self._learn(moments)
        if not live and any(heads) and self._owner is not None and not self._owner.known:
            raise self._owner.refusal()
        return [
            replace(frame, view=None if head is None else self._view(frame, head, live=live))
            for frame, head in zip(frames, heads, strict=True)
        ]

    def _learn(self, moments: Sequence[_Candidate]) -> None:
        """Look whether one of these moments is better than the best so far. Which moments have open
        eyes is known better with time, so that moment is judged anew, too.
        """
        if not moments:
            return
        self._eyes.extend(moment.eyes for moment in moments)
        usual = float(np.quantile(self._eyes, _USUAL))
        best = min(moments, key=lambda moment: moment.loss(usual))
        if self._alike is None or best.loss(usual) < _BETTER * self._alike.loss(usual):
            self._alike = best
            self._best = Transfer.between(self._sitter.head, best.head)

    def _view(self, frame: ObservedFrame, head: Head, *, live: bool) -> View | None:
        if frame.view is None or self._best is None:
            return None
        seen = frame.view.seen
        if live and self._owner is not None and not self._owner.admits(seen):
            if self._owner.refused and not self._refused:
                self._refused = True
                _log.warning("nothing is shown: %s", self._owner.refusal())
            return None
        passed, self._seconds = seen.seconds - self._seconds, seen.seconds
        if self._now is None:
            self._now = self._best
        elif self._now is not self._best:
            share = 1 - math.exp(-max(passed, 0.0) / _SETTLE_S)
            self._now = self._now.towards(self._best, share)
        still = replace(
            self._sitter.view.seen,
            seconds=seen.seconds,
            steady=self._now.moved(head),
            depth=None,
            steady_gaze=self._now.looking(head),
        )
        return replace(self._sitter.view, seen=still)
