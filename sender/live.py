"""`LiveCoder`: codes a call frame by frame. Motion goes out at once, references trickle behind it.

Where a rate is set, everything that sound and motion leave of it is spent on references. While one
reference goes out in small parts, the coder keeps a frame every fifth of a second, and the best of
the last two seconds becomes the next reference. So the rate holds at every moment. The only bursts
are keyframes without which nothing can be shown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..codec.control import Missing
from ..codec.errors import MotionError
from ..codec.keyframe import FRAGMENT_BYTES
from ..codec.packet import Kind, Packet
from .appearance import Appearance
from .base.live import LiveBase
from .config import EncoderConfig
from .motion.animation import Animation
from .observed import ObservedFrame, View
from .rate.control import LIVE_SPAN, MIN_PICTURE, RateControl
from .references.expected import AFTER_GAIN
from .references.planning import WORTH
from .references.shown_losses import losses_between
from .resending import SentFragments
from .still_work import StillWork
from .trickle import Trickle

__all__ = ["LiveCoder"]

_LOOK = Fraction(1, 5)  # seconds between two candidates
_LOOK_AGAIN = Fraction(2, 25)  # where what is shown is wrong: it must not stay so for long
_ALARM = 0.1  # avoidable loss of a candidate from which on that is so
_CANDIDATES = 10  # how many are kept: those of the last two seconds
_LIFE = 5.0  # seconds that a reference is expected to serve
_SPREAD_S = 3.0  # seconds of the free rate that one reference takes
_SMALL, _LARGE = 1500, 4000  # bytes of a picture
_FIRST = 3000  # bytes of the first picture, which everybody waits for
_FIRST_S = 1.0  # or so many seconds of the rate, where that is more
_AT_ONCE_S = 0.4  # of the rate that the first picture takes where there is a clock
_FIRST_PART = 300  # bytes of it in a packet, so that sound may go between
_URGENCIES = (0.15, 3, 5.0), (0.06, 2, 1.0)
"""Avoidable loss, in how many candidates, and the seconds of the rate that may be overdrawn for it:
what cannot be borne, and what can be seen at once."""
_URGENT_S, _URGENT_SMALL = 0.4, 1000  # of the rate, and bytes at least, that such a picture takes
_UNEARNED_S = 0.5  # seconds of the rate that may be overdrawn without counting as debt
_DEBT_S = 5.0  # seconds of the rate that debt may reach
_JOIN_S = Fraction(1)  # from one keyframe that the receiver asks for to the next
_JOIN_DEBT_S = 1.0  # seconds of the rate that may be overdrawn before one


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A frame that may become a reference."""

    view: View
    pts: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """The candidate that becomes the next reference, and the bytes of its picture; with
    `at_once` it does not wait for the rate.
    """

    candidate: _Candidate
    size: int
    at_once: bool = False


class LiveCoder:
    """Codes the frames of one call.

    Args:
        config: of the stream.
        animation: its references and motion.
        rate: its bytes.
        announce: gives the packets that go before a keyframe at which one can join, for a time
            in ticks.
        fps: frames a second.
        work: codes the pictures of references.

    Attributes:
        joined: false if a requested join keyframe could not be made.
        base: the base layer; None if the call has none.
    """

    def __init__(
        self,
        config: EncoderConfig,
        animation: Animation,
        rate: RateControl,
        announce: Callable[[int], list[Packet]],
        fps: Fraction,
        work: StillWork,
    ) -> None:
        self._config, self._animation = config, animation
        self._rate, self._announce = rate, announce
        self._looked = Fraction(-1)
        self._alarmed = False  # whether the last candidate alone would be worth a reference
        self._candidates: deque[_Candidate] = deque(maxlen=_CANDIDATES)
        self._trickle = Trickle(animation, rate, work)
        self._fragments = SentFragments()
        live_base = config.base == "calls"
        self.base = LiveBase(fps, animation, rate, work) if live_base else None
        self._joined_at: Fraction | None = None
        interval = config.keyframe_interval
        self._span = Fraction(interval) if isinstance(interval, int | float) else LIVE_SPAN
        self.joined = True

    def code(self, frame: ObservedFrame, now: Fraction) -> list[Packet]:
        """Code one frame.

        Args:
            frame: what was observed.
            now: seconds from the stream's beginning to the frame's end.

        Returns:
            Its packets, not numbered yet.
        """
        self.joined = True
        view = frame.view
        packets: list[Packet] = []
        if view is not None and frame.join:
            try:
                packets = self._join(view, frame.pts)
                self._joined_at = now
            except MotionError:  # the mesh is too distorted for its numbers to fit
                view, self.joined = None, False
        try:
            packets += self._animation.animate(view, frame.pts)
        except MotionError:
            packets += self._animation.animate(None, frame.pts)
        self._rate.count(packets)
        packets = self._with_base(packets, frame.pts, view, now)
        if view is not None and self._config.references > 1:
            kept = self._keep(view, frame.pts, now)
            choice = self._urgent(now) if kept and self._trickle.takes_urgent() else None
            news = kept or self._has_earned(now)
            if choice is None and news and self._trickle.takes_another(self._free):
                choice = self._choose(now)
            if choice is not None:
                self._begin(choice)
        packets += self._trickle.step(now)
        self._fragments.keep((p for p in packets if p.kind == Kind.KEYFRAME), now)
        return packets

    def _with_base(
        self, packets: list[Packet], pts: int, view: View | None, now: Fraction
    ) -> list[Packet]:
        """The packets of a frame, with those of the base layer before the motion."""
        if self.base is None:
            return packets
        early = self.base.push(view, pts, now)
        motion = [n for n, packet in enumerate(packets) if packet.kind == Kind.MOTION]
        if not motion and not self.base.is_full:
            return [*early, *packets]
        place = motion[0] if motion else len(packets)
        return [*packets[:place], *early, *self.base.flush(), *packets[place:]]

    def has_just_joined(self, now: Fraction) -> bool:
        """Whether a keyframe at which one can join was sent within the last second: it may still be
        on its way to a receiver that asks for one.
        """
        return self._joined_at is not None and now - self._joined_at < _JOIN_S

    def may_join(self, now: Fraction) -> bool:
        """Whether a keyframe that was asked for may be sent now. Asked for without end, they keep
        to the rate. The first is always sent.
        """
        if self._joined_at is None:
            return True
        return not self.has_just_joined(now) and self._within(_JOIN_DEBT_S, now)

    def send_again(self, missing: Missing, now: Fraction) -> list[Packet]:
        """Fragments of a keyframe that the receiver misses; they are counted, but not numbered."""
        if not self._within(_DEBT_S, now):
            return []
        packets = self._fragments.find(missing, now)
        self._rate.count(packets)
        if packets:
            self._trickle.sent_again(missing.id, now)
        return packets

    def _within(self, seconds: float, now: Fraction) -> bool:
        """Whether no more than so many seconds of the rate are overdrawn."""
        rate = self._rate.per_second
        return rate is None or self._rate.left(now) >= -seconds * rate

    def _join(self, view: View, pts: int) -> list[Packet]:
        """A keyframe, whole and at once; nothing after it depends on anything before it."""
        waiting = self._animation.waiting
        first = waiting[0] if waiting else pts
        reference = self._animation.refer(view, first, join=True, middle=self._middle)
        before = [*self._animation.flush(), *self._announce(reference.pts)]
        keyframe = reference.keyframe(self._join_size(reference.shape_bytes))
        self._animation.add(reference, join=True)
        self._candidates.clear()
        self._trickle.clear()
        if self.base is not None:
            self.base.clear()
        if self._config.references > 1:
            self._trickle.prepare(reference)
        part = _FIRST_PART if self._rate.clocked else FRAGMENT_BYTES
        return before + keyframe.to_packets(0, part=part)

    def _join_size(self, shape: int) -> int:
        """Bytes for the picture of a join keyframe, given those of its shape."""
        if self._rate.per_second is None:
            return self._config.keyframe_bytes
        spare = float(self._rate.per_second * self._span) - self._rate.expected(self._span)
        whole = self._rate.picture_bytes(spare, shape)
        if self._rate.clocked:  # it must come at once, and be made better after that
            whole = min(whole, round(_AT_ONCE_S * self._rate.per_second))
        elif self._config.references > 1:  # it must come soon; the rest makes more references
            whole = min(whole, max(_FIRST, round(_FIRST_S * self._rate.per_second)))
        return max(whole, MIN_PICTURE)

    @property
    def _free(self) -> float:
        """Bytes a second that sound, motion and the base layer leave."""
        share = 0.0 if self.base is None else self.base.share
        return (1 - share) * self._rate.free(self._span)

    @property
    def _middle(self) -> float | None:
        """The CRF around which the base layer's frames may follow the next reference."""
        return None if self.base is None else self.base.middle

    def _keep(self, view: View, pts: int, now: Fraction) -> bool:
        """Make the frame a candidate if the last one is old enough; whether it became one."""
        if now - self._looked < (_LOOK_AGAIN if self._alarmed else _LOOK):
            return False
        self._looked = now
        self._candidates.append(_Candidate(view, pts))
        return True

    def _has_earned(self, now: Fraction) -> bool:
        """Whether a rate is set and allows for another reference."""
        rate = self._rate.per_second
        return rate is not None and self._rate.left(now) >= -_UNEARNED_S * rate

    def _begin(self, choice: _Choice) -> None:
        """Begin the next reference."""
        candidate = choice.candidate
        try:
            reference = self._animation.refer(
                candidate.view, candidate.pts, join=False, middle=self._middle
            )
        except MotionError:
            return
        self._trickle.begin(reference, choice.size, self._free, at_once=choice.at_once)
        if self._rate.per_second is None:
            self._candidates.clear()  # later ones are judged with the new reference there

    def _urgent(self, now: Fraction) -> _Choice | None:
        """The candidate without which what is shown is wrong now, if there is one. Its picture goes
        out at once, and is small where a rate is set, so that it comes soon. The worse it is, the
        deeper may the call go into debt for it.
        """
        rate = self._rate.per_second
        size = self._config.keyframe_bytes
        if rate is not None:
            size = round(min(max(_URGENT_S * rate, _URGENT_SMALL), _LARGE))
        avoided = self._avoided()
        self._alarmed = not self._alarmed and float(avoided[-1, -1]) > _ALARM
        for loss, times, debt_s in _URGENCIES:
            avoids = avoided > loss
            counts = avoids.sum(1) * avoids[:, -1]  # none if the newest is not one of them
            best = len(counts) - 1 - int(counts[::-1].argmax())  # the newest of equals
            if counts[best] >= times and self._within(debt_s, now):
                return _Choice(self._candidates[best], size, at_once=True)
        return None

    def _choose(self, now: Fraction) -> _Choice | None:
        """The candidate whose picture would have lowered the loss of the last two seconds most;
        None if nothing is to be sent.
        """
        rate = self._rate.per_second
        size = self._config.keyframe_bytes
        if rate is not None:
            size = round(min(max(self._free * _SPREAD_S, _SMALL), _LARGE))
        if len(self._candidates) < _CANDIDATES:
            return None
        gains = self._gains(size)
        best, gain = int(gains.argmax()), float(gains.max())
        if rate is None or self._candidates[best].view.faceless:
            worth = gain * _LIFE >= WORTH * size / 1000
            return _Choice(self._candidates[best], size) if worth else None
        if not self._has_earned(now):
            return None  # an earlier keyframe is not earned back yet
        if gain <= 0:  # the head is still: only a better picture of it can improve anything
            return _Choice(self._candidates[-1], 2 * size)
        return _Choice(self._candidates[best], size)

    def _gains(self, size: int) -> npt.NDArray[np.float64]:
        """The mean loss that each candidate would take off all of them if its picture had so many
        bytes, `[N]`.
        """
        looks, shown = self._shown()
        known = self._animation.known
        before = known.losses(looks, self._trickle.coming)
        gains = before - np.minimum(before, shown + known.picture_loss(AFTER_GAIN * size))
        return np.asarray(gains.mean(1))

    def _avoided(self) -> npt.NDArray[np.float64]:
        """How much less each candidate would lose if it were shown from each, without what pictures
        lose when they are coded: `[from, of]`.
        """
        looks, shown = self._shown()
        return np.asarray(self._animation.known.losses(looks, pictures=False) - shown)

    def _shown(self) -> tuple[Appearance, npt.NDArray[np.float64]]:
        """What the candidates look like, and what each of them loses if it is shown from each:
        `[from, of]`.
        """
        looks = Appearance.stack([candidate.view.look for candidate in self._candidates])
        return looks, losses_between(looks, looks)
