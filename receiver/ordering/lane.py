"""`Lane`: packets of one kind in the order of sending. They wait for nothing of another kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...codec.packet import Packet
from .gaps import Gaps

__all__ = ["Arrival", "Lane"]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet in order.

    Attributes:
        packet: the packet.
        lost_before: how many packets, of whatever kind, are missing between it and the one before
            it of its kind.
    """

    packet: Packet
    lost_before: int


class Lane:
    """The packets of one kind that wait.

    Args:
        last: number after which the lane begins.
    """

    def __init__(self, last: int) -> None:
        self._last = last
        self._waiting: dict[int, Packet] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, number: int, packet: Packet) -> bool:
        """Add a packet; return False if a later one of its kind has already gone out."""
        if number <= self._last:
            return False
        self._waiting[number] = packet
        return True

    def pop(self, gaps: Gaps, follows: Callable[[Packet], bool]) -> Arrival | None:
        """The next packet in order; None if it must wait or there is none.

        Args:
            gaps: what may still come.
            follows: tells by its time that nothing of its kind belongs before a packet.
        """
        if not self._waiting:
            return None
        number = min(self._waiting)
        packet = self._waiting[number]
        if not gaps.settled(self._last, number) and not follows(packet):
            return None
        del self._waiting[number]
        missing = gaps.missing(self._last, number)
        self._last = number
        return Arrival(packet, missing)
