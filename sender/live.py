"""`LiveCoder`: a call, frame by frame. Motion goes out at once, references trickle behind it.

Where a rate is set, whatever sound and motion leave of it is always being spent: while one
reference is on its way in small parts, the frames that pass are weighed, and the best of the last
two seconds is the next. So the rate is kept at every moment, and nothing comes in a burst but
keyframes that nothing can be shown without.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..codec.errors import MotionError
from ..codec.packet import Packet
from ..models.face.mesh import select_points
from ..models.face.observation import Observation
from .config import EncoderConfig
from .motion.animation import Animation
from .observed import ObservedFrame
from .rate import LIVE_SPAN, MIN_PICTURE, RateControl
from .references.expected import AFTER_GAIN, expected_losses
from .references.planning import WORTH
from .trickle import Trickle

__all__ = ["LiveCoder"]

_LOOK = Fraction(1, 5)  # seconds between frames that may become references
_WEIGHED = 10  # of them: the last two seconds
_LIFE = 5.0  # seconds that a reference is expected to serve
_SPREAD_S = 3.0  # a reference takes so much of what is free
_SMALL, _LARGE = 1500, 4000  # bytes of a picture
_FIRST = 3000  # of the first one, that all wait for
_FIRST_S = 1.0  # seconds of the rate that the first one may take where that is more
_UNBEARABLE, _URGENT = 0.15, 3  # needless loss, in so many weighed frames, for which debt is made
_UNEARNED_S = 0.5  # what was sent ahead of its time, in seconds of the rate, that is no debt
_DEBT_S = 5.0  # while it is no more than so many seconds of the rate


@dataclass(frozen=True, slots=True)
class _Candidate:
    seen: Observation
    points: npt.NDArray[np.float32]
    pts: int


class LiveCoder:
    """Codes the frames of one call.

    Args:
        config: of the stream.
        animation: its references and motion.
        rate: its bytes.
        announce: gives what goes before a keyframe from which one can join, at a time in ticks.

    Attributes:
        joined: whether a frame that was to be one to join at, became it.
    """

    def __init__(
        self,
        config: EncoderConfig,
        animation: Animation,
        rate: RateControl,
        announce: Callable[[int], list[Packet]],
    ) -> None:
        self._config, self._animation = config, animation
        self._rate, self._announce = rate, announce
        self._looked = Fraction(-1)
        self._lately: deque[_Candidate] = deque(maxlen=_WEIGHED)
        self._trickle = Trickle(animation, rate)
        self._free = math.inf  # bytes a second that sound and motion leave
        self.joined = True

    def code(self, moment: ObservedFrame, now: Fraction) -> list[Packet]:
        """Code a frame.

        Args:
            moment: the frame.
            now: seconds from the stream's beginning to the frame's end.

        Returns:
            Its packets, not numbered yet.
        """
        self.joined = True
        seen = moment.seen
        packets: list[Packet] = []
        if seen is not None and moment.join:
            try:
                packets = self._join(seen, moment.pts)
            except MotionError:  # so distorted a mesh that its numbers do not fit
                seen, self.joined = None, False
        try:
            packets += self._animation.animate(seen, moment.pts)
        except MotionError:
            packets += self._animation.animate(None, moment.pts)
        self._rate.count(packets)
        if seen is not None and self._config.references > 1:
            self._look(seen, moment.pts, now)
            if len(self._lately) == _WEIGHED and self._trickle.takes_another(self._free):
                self._choose(now)
        return packets + self._trickle.step(now)

    def _join(self, seen: Observation, pts: int) -> list[Packet]:
        """A keyframe at once, on which alone all that follows stands."""
        waiting = self._animation.waiting
        reference = self._animation.refer(seen, waiting[0] if waiting else pts, join=True)
        before = [*self._animation.flush(), *self._announce(reference.pts)]
        keyframe = reference.keyframe(self._room(reference.shape_bytes))
        self._animation.add(reference, join=True)
        self._lately.clear()
        self._trickle.clear()
        return before + keyframe.to_packets(0)

    def _room(self, shape: int) -> int:
        """Bytes of a keyframe's picture that must come at once."""
        interval = self._config.keyframe_interval
        if self._rate.per_second is None:
            return self._config.keyframe_bytes
        span = Fraction(interval) if isinstance(interval, int | float) else LIVE_SPAN
        spare = float(self._rate.per_second * span) - self._rate.expected(span)
        self._free = max(spare, 0.0) / float(span)
        whole = self._rate.picture_bytes(spare, shape)
        if self._config.references > 1:  # it must come soon; what remains makes more references
            whole = min(whole, max(_FIRST, round(_FIRST_S * self._rate.per_second)))
        return max(whole, MIN_PICTURE)

    def _look(self, seen: Observation, pts: int, now: Fraction) -> None:
        """Keep a frame every now and then."""
        if now - self._looked >= _LOOK:
            self._looked = now
            self._lately.append(_Candidate(seen, select_points(seen.landmarks), pts))

    def _choose(self, now: Fraction) -> None:
        """Begin with the next reference, where one pays."""
        points = np.stack([candidate.points for candidate in self._lately])
        rate, known = self._rate.per_second, self._animation.known
        coming = self._trickle.coming
        size = self._config.keyframe_bytes
        if rate is not None:
            size = round(min(max(self._free * _SPREAD_S, _SMALL), _LARGE))
        poses = np.stack([expected_losses(candidate.points, points) for candidate in self._lately])
        losses, before = poses + known.picture_loss(AFTER_GAIN * size), known.losses(points, coming)
        gains = before - np.minimum(before, losses)
        best = int(gains.sum(1).argmax())
        gain, left = float(gains[best].mean()), self._rate.left(now)
        if rate is None and gain * _LIFE < WORTH * size / 1000:
            return
        bearable = known.losses(points, coming, pictures=False)
        needless = (bearable - poses > _UNBEARABLE).sum(1)
        urgent = rate is not None and needless.max() >= _URGENT and left > -_DEBT_S * rate
        if urgent:
            best = int(needless.argmax())
        if rate is not None and left < -_UNEARNED_S * rate and not urgent:
            return  # an earlier keyframe is not earned back yet
        if gain <= 0:  # a still head: what there is cannot be improved but by its picture
            best, size = len(self._lately) - 1, 2 * size
        candidate = self._lately[best]
        try:
            reference = self._animation.refer(candidate.seen, candidate.pts, join=False)
        except MotionError:
            return
        self._trickle.begin(reference, size, self._free, at_once=urgent)
        if rate is None:
            self._lately.clear()  # what comes next is judged with the new one there
