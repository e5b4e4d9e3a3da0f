"""`Trickle`: sends a call's references in parts so small that they never hold up motion.

A reference passes through four states. The class of `Trickle`'s slot says which one it is in:

    slot      class        state
    behind    _Coding      its picture is being coded, one coding a frame, or aside
    behind    _Ready       coded, waiting until the reference ahead of it is done
    ahead     _Sending     its parts go out behind the motion, as there is room
    ahead     _Awaiting    all parts are sent; the receiver has not confirmed the reference yet

Each slot holds one reference at most, so the next reference can be coded while the last parts of
the one ahead go out. Receivers that confirm nothing leave out the last state. A reference that is
not confirmed in time goes back from `_Awaiting` to `_Sending`, until it is given up.

One that is to go out at once does not wait for those before it: it takes the place of one that is
being coded, and one that is being sent is put aside until it is through.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from fractions import Fraction

from ..codec.keyframe import FRAGMENT_BYTES, Keyframe
from ..codec.packet import Packet
from ..codec.picture.after import Anchor
from .motion.animation import Animation
from .rate.control import RateControl
from .references.reference import Reference
from .still_work import StillJob, StillWork

__all__ = ["Trickle"]

_PART_S = 0.3  # seconds of the free rate that one part takes
_SMALLEST, _LARGEST = 64, 400  # bytes of a part
_AHEAD_S = 0.5  # the next reference begins when the rest of this one takes no longer than this
_ANSWER_S = 1  # seconds that the receiver has to confirm a reference
_TRIES = 3  # times that a reference is sent before it is given up


@dataclass(frozen=True, slots=True)
class _Coding:
    """A reference whose picture is being coded; `part` is the size of its parts in bytes, and
    with `at_once` they do not wait for the rate.
    """

    reference: Reference
    job: StillJob[Keyframe]
    part: int
    at_once: bool

    def advance(self) -> _Coding | _Ready:
        """One more coding."""
        if not self.job.advance():
            return self
        packets = self.job.result.to_packets(0, part=self.part)
        return _Ready(self.reference, packets, self.at_once)


@dataclass(frozen=True, slots=True)
class _Ready:
    """A reference that is coded."""

    reference: Reference
    packets: list[Packet]
    at_once: bool

    def sending(self, attempt: int) -> _Sending:
        """The same, its first part about to be sent; attempts count from 1."""
        return _Sending(self, deque(self.packets), attempt)


@dataclass(frozen=True, slots=True)
class _Sending:
    """A reference of which the parts in `rest` are still to be sent."""

    ready: _Ready
    rest: deque[Packet]
    attempt: int


@dataclass(frozen=True, slots=True)
class _Awaiting:
    """A reference that is sent, and is to be confirmed `until` then (seconds)."""

    ready: _Ready
    attempt: int
    until: Fraction


class Trickle:
    """Takes one reference at a time and sends it.

    Args:
        animation: learns of each reference once it is sent.
        rate: counts the bytes, and says when there is room for more.
        work: codes the pictures.
    """

    def __init__(self, animation: Animation, rate: RateControl, work: StillWork) -> None:
        self._animation, self._rate, self._work = animation, rate, work
        self.clear()

    def clear(self) -> None:
        """Drop everything that is under way."""
        self._work.clear()
        self._behind: _Coding | _Ready | None = None
        self._ahead: _Sending | _Awaiting | None = None
        self._aside: _Sending | None = None
        self._preparing: StillJob[Anchor | None] | None = None

    def prepare(self, base: Reference) -> None:
        """Find out, one coding a frame while nothing else is coded, what pictures after this
        reference need. Those that are to come at once then come sooner.
        """
        self._preparing = self._work.begin(base.anchor())

    @property
    def coming(self) -> list[Reference]:
        """References that the receiver will soon have."""
        return [one.ready.reference for one in (self._ahead, self._aside) if one is not None]

    def takes_another(self, free: float) -> bool:
        """Whether to `begin` the next reference now, given the bytes a second for references."""
        if self._behind is not None or self._animation.sent is not None:
            return False
        rest = self._ahead.rest if isinstance(self._ahead, _Sending) else ()
        return sum(len(packet.payload) for packet in rest) <= _AHEAD_S * free

    def takes_urgent(self) -> bool:
        """Whether one may `begin` that is to go out at once."""
        ahead = self._ahead is not None and self._ahead.ready.at_once
        behind = self._behind is not None and self._behind.at_once
        return not (ahead or behind or self._animation.sent is not None)

    def begin(self, reference: Reference, size: int, free: float, *, at_once: bool) -> None:
        """Start to code a reference, and send it when it is coded.

        Args:
            reference: one that motion does not depend on yet.
            size: bytes of its picture.
            free: bytes a second for references.
            at_once: send it without regard to the rate.
        """
        part = FRAGMENT_BYTES
        if self._rate.clocked or self._rate.per_second is not None:
            part = _LARGEST
        if not at_once and self._rate.per_second is not None:
            part = round(min(max(_PART_S * free, _SMALLEST), _LARGEST))
        if isinstance(self._behind, _Coding):
            self._behind.job.drop()
        job = self._work.begin(reference.coding(size, quick=at_once))
        self._behind = _Coding(reference, job, part, at_once)

    def sent_again(self, identity: int, now: Fraction) -> None:
        """Parts of the reference of this id were sent again: wait for its confirmation anew."""
        ahead = self._ahead
        if isinstance(ahead, _Awaiting) and ahead.ready.reference.id == identity:
            self._ahead = replace(ahead, until=now + _ANSWER_S)

    def step(self, now: Fraction) -> list[Packet]:
        """Go on by one frame, which ends `now` (seconds).

        Returns:
            One packet, or none. It is counted, but not numbered yet.
        """
        if isinstance(self._behind, _Coding):
            self._behind = self._behind.advance()
        elif self._preparing is not None and self._preparing.advance():
            self._preparing = None
        if isinstance(self._ahead, _Awaiting):
            self._ahead = self._after_waiting(self._ahead, now)
        if isinstance(self._behind, _Ready):
            if self._behind.at_once and isinstance(self._ahead, _Sending):
                self._ahead, self._aside = None, self._ahead
            if self._ahead is None:
                self._ahead, self._behind = self._behind.sending(attempt=1), None
        if self._ahead is None:
            self._ahead, self._aside = self._aside, None
        if isinstance(self._ahead, _Sending) and self._has_room(self._ahead, now):
            return self._send(self._ahead, now)
        return []

    def _after_waiting(self, awaiting: _Awaiting, now: Fraction) -> _Awaiting | _Sending | None:
        """The next state of a reference that is to be confirmed."""
        if self._animation.sent is None:  # it was confirmed
            return None
        if now <= awaiting.until:
            return awaiting
        self._animation.give_up()
        if awaiting.attempt >= _TRIES:
            return None
        return awaiting.ready.sending(awaiting.attempt + 1)

    def _send(self, sending: _Sending, now: Fraction) -> list[Packet]:
        """The next part; after the last one the reference's state changes."""
        packets = [sending.rest.popleft()]
        self._rate.count(packets)
        if not sending.rest:
            self._animation.add(sending.ready.reference, join=False)
            self._ahead = None
            if self._animation.sent is not None:
                self._ahead = _Awaiting(sending.ready, sending.attempt, now + _ANSWER_S)
        return packets

    def _has_room(self, sending: _Sending, now: Fraction) -> bool:
        if self._rate.per_second is None or sending.ready.at_once:
            return True
        return self._rate.left(now) >= self._rate.framed(len(sending.rest[0].payload)) / 2
