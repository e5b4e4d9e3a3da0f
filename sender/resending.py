"""`SentFragments`: those of the newest keyframes, so that a lost one is sent again by itself."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from ..codec.control import Missing
from ..codec.keyframe import fragment_of
from ..codec.packet import Packet

__all__ = ["SentFragments"]

_KEYFRAMES = 2
_AGAIN_S = Fraction(3, 20)  # from one sending of a fragment to the next: it may be on its way
_TIMES = 4  # that a fragment is sent again, at most


@dataclass(slots=True)
class _Sent:
    packet: Packet
    at: Fraction
    again: int = 0


class SentFragments:
    """Keeps the fragments of the last two keyframes that were sent, in part or whole."""

    def __init__(self) -> None:
        self._sent: OrderedDict[tuple[int, int], dict[int, _Sent]] = OrderedDict()

    def keep(self, packets: Iterable[Packet], now: Fraction) -> None:
        """Remember KEYFRAME packets that are sent `now` (seconds)."""
        for packet in packets:
            index, _, crc = fragment_of(packet)
            fragments = self._sent.setdefault((packet.reference, crc), {})
            fragments[index] = _Sent(packet, now)
            self._sent.move_to_end((packet.reference, crc))
        while len(self._sent) > _KEYFRAMES:
            self._sent.popitem(last=False)

    def find(self, missing: Missing, now: Fraction) -> list[Packet]:
        """Those of the fragments that are to be sent again. It does not name what was not sent
        yet, or was sent a moment ago, or often enough.
        """
        fragments = self._sent.get((missing.id, missing.crc), {})
        found = []
        for index in dict.fromkeys(missing.fragments):
            sent = fragments.get(index)
            if sent is not None and sent.again < _TIMES and now - sent.at >= _AGAIN_S:
                sent.at, sent.again = now, sent.again + 1
                found.append(sent.packet)
        return found
