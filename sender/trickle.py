"""`Trickle`: a call's references on their way, in pieces small enough never to be in the way.

A reference is coded, one coding a frame; then its parts go out behind the motion as there is room;
then, where the other side says what it has, its word is waited for. The next one may be coded while
the last parts of one go out.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from ..codec.keyframe import FRAGMENT_BYTES, Keyframe
from ..codec.packet import Packet
from ..codec.picture.steps import Steps
from .motion.animation import Animation
from .rate import RateControl
from .references.reference import Reference

__all__ = ["Trickle"]

_PART_S = 0.3  # a part takes so much of what is free
_SMALLEST, _LARGEST = 64, 400  # and so many bytes
_AHEAD_S = 0.5  # so long before the last part of one the next one is begun
_ANSWER_S = 1  # after which the other side's word is not waited for any more
_TRIES = 3  # so often a reference is sent before it is given up


@dataclass(frozen=True, slots=True)
class _Parcel:
    """A reference to be sent; `at_once`: whatever room there is."""

    reference: Reference
    packets: list[Packet]
    at_once: bool


class Trickle:
    """Takes a reference at a time.

    Args:
        animation: is told of each when it is sent.
        rate: its bytes.
    """

    def __init__(self, animation: Animation, rate: RateControl) -> None:
        self._animation, self._rate = animation, rate
        self.clear()

    def clear(self) -> None:
        """Nothing is on its way any more."""
        self._coding: tuple[Reference, Steps[Keyframe]] | None = None
        self._part = FRAGMENT_BYTES
        self._at_once = False
        self._next: _Parcel | None = None
        self._sending: _Parcel | None = None
        self._rest: deque[Packet] = deque()
        self._tries = 0
        self._until = Fraction(0)

    @property
    def coming(self) -> list[Reference]:
        """What will be there soon."""
        return [self._sending.reference] if self._sending else []

    def takes_another(self, free: float) -> bool:
        """Whether it is time for the next one, with so many bytes a second for them."""
        if self._coding or self._next or self._animation.sent:
            return False
        return sum(len(packet.payload) for packet in self._rest) <= _AHEAD_S * free

    def begin(self, reference: Reference, size: int, free: float, *, at_once: bool) -> None:
        """Code and send a reference.

        Args:
            reference: which motion does not stand on yet.
            size: bytes of its picture.
            free: bytes a second for references.
            at_once: whatever the rate says.
        """
        self._coding = reference, reference.coding(size)
        self._at_once = at_once
        if at_once or self._rate.per_second is None:
            self._part = FRAGMENT_BYTES
        else:
            self._part = round(min(max(_PART_S * free, _SMALLEST), _LARGEST))

    def step(self, now: Fraction) -> list[Packet]:
        """What may be sent with a frame that ends `now`, in seconds."""
        self._code_on()
        self._ask(now)
        if self._sending is None and self._animation.sent is None and self._next is not None:
            self._start(self._next)
            self._next, self._tries = None, 1
        packets = []
        if self._rest and self._has_room(now):
            packets.append(self._rest.popleft())
            self._rate.count(packets)
        if packets and self._sending is not None and not self._rest:
            self._animation.add(self._sending.reference, join=False)
            self._until = now + _ANSWER_S
            if self._animation.sent is None:
                self._sending = None
        return packets

    def _code_on(self) -> None:
        if self._coding is None:
            return
        reference, coding = self._coding
        try:
            next(coding)
        except StopIteration as end:
            keyframe: Keyframe = end.value
            packets = keyframe.to_packets(0, part=self._part)
            self._next, self._coding = _Parcel(reference, packets, self._at_once), None

    def _ask(self, now: Fraction) -> None:
        """What is sent has been answered for, is sent again, or is given up."""
        parcel = self._sending
        if parcel is None or self._rest:
            return
        if self._animation.sent is None:
            self._sending = None
        elif now > self._until:
            self._animation.give_up()
            self._sending = None
            if self._tries < _TRIES:
                self._start(parcel)
                self._tries += 1

    def _start(self, parcel: _Parcel) -> None:
        self._sending = parcel
        self._rest.extend(parcel.packets)

    def _has_room(self, now: Fraction) -> bool:
        if self._rate.per_second is None or (self._sending and self._sending.at_once):
            return True
        return self._rate.left(now) >= self._rate.framed(len(self._rest[0].payload)) / 2
