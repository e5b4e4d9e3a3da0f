"""`Order`: packets in the order in which they were sent, sound and motion each by itself.

packet → which count? ─┬→ gaps ─→ lane of its kind ─→ in order
                       └→ rival (does not fit; believed when many agree)

A packet that is the next of its kind passes at once. Sound waits only for a gap that may be sound,
and motion only for one that may be motion or its keyframe; their times tell.
"""

from __future__ import annotations

from collections.abc import Callable

from ...codec.control import Received
from ...codec.counters import nearest
from ...codec.packet import Kind, Packet
from ..config import DecoderConfig
from ..statistics import Statistics
from .gaps import MEMORY, Gaps
from .lane import Arrival, Lane
from .rival import Rival

__all__ = ["Order"]

_ORDERED = (Kind.AUDIO, Kind.MOTION)
_AHEAD = 512
"""Without a clock, a jump by more numbers than this is in doubt."""
_TIMED_AHEAD, _RATE = 128, 250
"""With a clock: the same, and how many more for each second in which nothing came."""
_MOST_WAITING = 256


class Order:
    """Sorts the packets of one stream.

    Args:
        config: how long a missing packet is waited for.
        statistics: duplicates, late, stray and lost packets are counted here.
    """

    def __init__(self, config: DecoderConfig, statistics: Statistics) -> None:
        self._statistics = statistics
        self._gaps = Gaps(config.reorder_window, config.reorder_ms / 1000, statistics)
        self._rival: Rival[Packet | None] = Rival()
        self._outage = 2 * config.reorder_ms / 1000
        self.reset()

    def reset(self) -> None:
        """Forget the order; the next packet begins a new one."""
        self._gaps.reset()
        self._rival.reset()
        self._lanes: dict[Kind, Lane] = {}
        self._last_came: float | None = None

    def __len__(self) -> int:
        """Number of packets that wait for a missing one."""
        return sum(map(len, self._lanes.values()))

    @property
    def received(self) -> Received | None:
        """What came, for a report to the sender; None before the first packet."""
        return self._gaps.received()

    def push(self, sequence: int, packet: Packet | None, now: float | None) -> bool:
        """Take one packet.

        Args:
            sequence: its number, modulo 65536.
            packet: None if its kind is unknown; it then only counts as having come.
            now: seconds of the clock, None without one.

        Returns:
            Whether the sender began to count anew: then call `pop` for what remains of the old
            order, and `begin_anew` for the new one.
        """
        newest = sequence if self._gaps.newest is None else self._gaps.newest
        number = nearest(sequence, newest)
        if not newest - MEMORY < number <= newest + self._ahead(now):
            self._statistics.stray += 1
        elif self._gaps.came(number):
            self._statistics.duplicates += 1
        elif not self._gaps.may_come(number):
            self._statistics.late += 1
        else:
            self._rival.reset()
            self._place(number, packet, now)
            return False
        self.expire(now)
        return self._rival.push(sequence, packet, now)

    def begin_anew(self, now: float | None) -> bool:
        """Go on with the new count; its first packets are there already.

        Returns:
            Whether a STREAM packet is among them.
        """
        row = self._rival.take()
        self.reset()
        for number, packet in row:
            self._place(number, packet, now)
        return any(packet is not None and packet.kind == Kind.STREAM for _, packet in row)

    def expire(self, now: float | None) -> None:
        """Let time pass: what has been waited for long enough is given up."""
        self._gaps.expire(now)

    def give_up(self) -> None:
        """Wait for nothing: `pop` then gives all that is there."""
        self._gaps.give_up()

    def pop(self, follows: Callable[[Packet], bool]) -> Arrival | None:
        """The next packet of sound or motion that is in order; None if there is none.

        Args:
            follows: tells by its time that nothing of its kind belongs before a packet.
        """
        for lane in self._lanes.values():
            arrival = lane.pop(self._gaps, follows)
            if arrival is not None:
                return arrival
        return None

    def _place(self, number: int, packet: Packet | None, now: float | None) -> None:
        if self._gaps.newest is None:
            self._lanes = {kind: Lane(number - 1) for kind in _ORDERED}
        self._gaps.add(number, now)
        came = self._last_came
        if now is not None and came is not None and now - came > self._outage:
            self._gaps.give_up()  # what is missing was sent too long ago to be on its way
        self._last_came = now
        if packet is None or packet.kind not in self._lanes:
            return
        self._statistics.late += not self._lanes[packet.kind].push(number, packet)
        if len(self) > _MOST_WAITING:
            self._gaps.give_up()

    def _ahead(self, now: float | None) -> int:
        """How far ahead of the newest number a packet may be without a doubt."""
        if now is None or self._last_came is None:
            return _AHEAD
        return _TIMED_AHEAD + int(_RATE * min(max(now - self._last_came, 0.0), 100.0))
