"""`BaseQueue`: keeps the base layer's packets of a call until they have left.

They leave in the datagrams of sound and motion, as far as rate and line have room. A chain cannot
go on without a frame that was lost, so lost packets are sent again; until they come, the peer shows
generated pictures. If a packet cannot leave in time, its whole chain is given up.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence

from ..codec.packet import Packet

__all__ = ["BaseQueue"]

_LATE_S = 1.0  # since it was ready; then a packet is too old to be sent, or sent again
_KEPT = 256  # datagrams that are remembered


class BaseQueue:
    """Keeps the packets of one chain until they have left, and for a moment beyond that."""

    def __init__(self) -> None:
        self._chain: int | None = None
        self._waiting: deque[tuple[float, Packet]] = deque()  # since when it is ready
        self._sent: OrderedDict[int, tuple[tuple[float, Packet], ...]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many bytes of payload wait."""
        return sum(len(packet.payload) for _, packet in self._waiting)

    def clear(self) -> None:
        """Give up the chain."""
        self._waiting.clear()
        self._sent.clear()

    def add(self, packet: Packet, now: float) -> None:
        """Take a packet of the encoder. One of another chain replaces all earlier ones."""
        if packet.payload[0] != self._chain:
            self.clear()
            self._chain = packet.payload[0]
        self._waiting.append((now, packet))

    def take(self, room: float) -> list[tuple[float, Packet]]:
        """Take the packets that leave now, oldest first, with the time since when each is ready.

        Args:
            room: bytes that rate and line have for them; the last packet may need more.
        """
        taken: list[tuple[float, Packet]] = []
        while self._waiting and room > 0:
            room -= len(self._waiting[0][1].payload)
            taken.append(self._waiting.popleft())
        return taken

    def is_late(self, now: float) -> bool:
        """Whether a packet waits that is too old by now."""
        return any(now - since > _LATE_S for since, _ in self._waiting)

    def sent(self, number: int, packets: Sequence[tuple[float, Packet]]) -> None:
        """Note that packets left in the datagram of this number."""
        if packets:
            self._sent[number] = tuple(packets)
            while len(self._sent) > _KEPT:
                self._sent.popitem(last=False)

    def report(self, arrivals: Iterable[tuple[int, float | None]]) -> None:
        """Take what the peer reports of datagrams. The packets of lost ones wait again, before all
        others.

        Args:
            arrivals: for each number the time of arrival, None if it was lost.
        """
        lost: list[tuple[float, Packet]] = []
        for number, time in arrivals:
            packets = self._sent.pop(number, ())
            if time is None:
                lost += packets
        self._waiting.extendleft(reversed(lost))
