"""`LightTrack`: the light of each frame of one stream."""

from __future__ import annotations

import bisect
import logging
from collections import OrderedDict

from ...codec.counters import nearest
from ...codec.errors import StreamError
from ...codec.keyframe import Keyframe
from ...codec.light import HOLD_S, NEUTRAL, Light, LightGroup
from ...codec.packet import Packet
from ...codec.stream import StreamHeader
from ..statistics import Statistics
from .references import ReferencePool

__all__ = ["LightTrack"]

_MOST = 256
"""Entries that are kept for a keyframe, at most; the oldest go first."""
_KEYFRAMES = 8
_log = logging.getLogger(__name__)


class LightTrack:
    """Takes LIGHT packets in whatever order they come. It holds a limited amount of data.

    Args:
        header: the header of the stream.
        statistics: the decoder's statistics, which it counts into.
        pool: the keyframes that the packets refer to.
    """

    def __init__(self, header: StreamHeader, statistics: Statistics, pool: ReferencePool) -> None:
        self._hold = max(1, int(HOLD_S / header.time_base))  # ticks
        self._statistics, self._pool = statistics, pool
        # Of each keyframe, by its id and its time: entries by their time in ticks.
        self._known: OrderedDict[tuple[int, int], list[tuple[int, Light]]] = OrderedDict()

    def restart(self) -> None:
        """Accept any times, because the sender began anew."""
        self._known.clear()

    def push(self, packet: Packet, newest: int | None) -> None:
        """Take a LIGHT packet.

        Args:
            packet: as it came.
            newest: the time of the newest frame of motion in ticks; None before the first.
        """
        try:
            group = LightGroup.from_packet(packet)
        except StreamError as error:
            _log.info("a packet of light was refused: %s", error)
            self._statistics.damaged += 1
            return
        reference = self._pool.get(group.reference)
        if reference is None:
            self._statistics.missing_reference += 1
            return
        key = reference.keyframe
        start = nearest(group.pts, key.pts if newest is None else newest)
        entries = dict(self._known.pop((key.id, key.pts), ()))
        entries.update((start + n * group.stride, one) for n, one in enumerate(group.lights))
        self._known[key.id, key.pts] = sorted(entries.items(), key=lambda entry: entry[0])[-_MOST:]
        while len(self._known) > _KEYFRAMES:
            self._known.popitem(last=False)

    def at(self, keyframe: Keyframe, ticks: int) -> Light | None:
        """The light of a frame that is animated from a keyframe; None if it is the keyframe's."""
        entries = self._known.get((keyframe.id, keyframe.pts), [])
        place = bisect.bisect_right(entries, ticks, key=lambda entry: entry[0])
        if not place or ticks - entries[place - 1][0] > self._hold:
            return None
        time, light = entries[place - 1]
        if place < len(entries) and entries[place][0] - time <= self._hold:
            later, other = entries[place]
            light = light.towards(other, (ticks - time) / (later - time))
        return None if light == NEUTRAL else light
