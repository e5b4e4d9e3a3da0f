"""`BaseTrack`: turns BASE packets into pictures of the base layer, each at the time of its frame.

A frame is decoded only when the picture of its time is due. Until then its bytes wait, so packets
may come early, late or out of order. A missing frame stops its chain: the chain gives no further
picture until that frame comes or another chain begins.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from ...codec.base_packets import BaseAssembler, BaseGroup
from ...codec.counters import nearest
from ...codec.errors import StreamError, UnsupportedError
from ...codec.packet import Packet
from ...codec.picture.chain import ChainDecoder
from ...codec.picture.coded_picture import CodedPicture
from ...codec.stream import StreamHeader
from ..outputs import Frame
from ..statistics import Statistics
from .references import ReferencePool

__all__ = ["BasePicture", "BaseTrack"]

_FRESH_S = 0.05
"""Seconds for which a picture of the base layer is shown if the next frames have none."""
_PATIENCE_S = 0.8
"""Seconds for which a missing frame may still come, before another chain is asked for."""
_MOST_BYTES, _MOST_FRAMES = 1 << 20, 512
"""What may wait in all chains together."""
_MOST_CHAINS = 3
_MOST_AT_ONCE = 64
"""Frames that are decoded for one picture, at most, when a chain catches up after a pause."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class BasePicture:
    """A picture of the base layer.

    Attributes:
        ticks: its time in ticks.
        picture: uint8 RGB `[H, W, 3]`.
    """

    ticks: int
    picture: Frame


@dataclass(slots=True, eq=False)
class _Chain:
    """One chain; `next` is the number of the frame to be decoded next."""

    reference: int
    number: int
    still: CodedPicture
    decoder: ChainDecoder | None = None
    waiting: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # time, data
    next: int = 1
    shown: BasePicture | None = None

    @property
    def waits(self) -> int:
        """How many bytes wait."""
        return sum(len(data) for _, data in self.waiting.values())

    def begun_by(self, ticks: int) -> bool:
        """Whether the chain has begun by a time."""
        if self.shown is not None:
            return True
        first = self.waiting.get(1)
        return first is not None and first[0] <= ticks

    def is_stuck(self, ticks: int) -> bool:
        """Whether a frame is missing while later ones have come, which then cannot be decoded."""
        times = [time for time, _ in self.waiting.values()]
        return self.next not in self.waiting and bool(times) and min(times) <= ticks

    def advance(self, ticks: int) -> None:
        """Decode the frames that are due at a time.

        Raises:
            StreamError, UnsupportedError: the chain cannot go on.
        """
        for _ in range(_MOST_AT_ONCE):
            if self.next not in self.waiting or self.waiting[self.next][0] > ticks:
                return
            time, data = self.waiting.pop(self.next)
            if self.decoder is None:
                self.decoder = ChainDecoder(self.still)
            self.shown = BasePicture(time, self.decoder.decode(data))
            self.next += 1


class BaseTrack:
    """The base layer of one stream. It holds a limited amount of data.

    Args:
        header: the header of the stream.
        statistics: the decoder's statistics, which it counts into.
        pool: the keyframes from whose stills chains continue.
    """

    def __init__(self, header: StreamHeader, statistics: Statistics, pool: ReferencePool) -> None:
        self._fresh = max(1, int(_FRESH_S / header.time_base))  # ticks
        self._patience = int(_PATIENCE_S / header.time_base)  # ticks
        self._stuck_since: int | None = None
        self._shape = (header.height, header.width)
        self._statistics = statistics
        self._pool = pool
        self._assembler = BaseAssembler()
        self._chains: list[_Chain] = []  # in the order in which they came

    @property
    def waiting(self) -> int:
        """How many frames wait to be decoded."""
        return sum(len(chain.waiting) for chain in self._chains)

    def restart(self) -> None:
        """Accept any times, because the sender began anew."""
        self._assembler.reset()
        self._chains.clear()
        self._stuck_since = None

    def push(self, packet: Packet, newest: int | None) -> None:
        """Take a BASE packet.

        Args:
            packet: as it came.
            newest: the time of the newest frame of motion in ticks; None before the first.
        """
        try:
            group = self._assembler.push(packet)
        except StreamError as error:
            _log.info("a packet of the base layer was refused: %s", error)
            self._statistics.damaged += 1
            return
        if group is not None:
            self._place(group, newest)

    def at(self, ticks: int) -> BasePicture | None:
        """The picture of the base layer for a frame's time; None if there is none.

        Args:
            ticks: full time in ticks, which never falls from call to call.
        """
        begun = [chain for chain in self._chains if chain.begun_by(ticks)]
        shown = self._newest(begun, ticks) if begun else None
        if shown is not None or not any(chain.is_stuck(ticks) for chain in self._chains):
            self._stuck_since = None
        elif self._stuck_since is None:
            self._stuck_since = ticks
        since = self._stuck_since
        self._statistics.wants_base = since is not None and ticks - since >= self._patience
        return shown

    def _newest(self, begun: list[_Chain], ticks: int) -> BasePicture | None:
        """The picture of the newest chain that has begun."""
        chain = begun[-1]
        self._chains = self._chains[self._chains.index(chain) :]  # earlier ones are over
        try:
            chain.advance(ticks)
        except (StreamError, UnsupportedError) as error:
            _log.info("a chain of the base layer ends: %s", error)
            self._statistics.damaged += 1
            self._chains.remove(chain)
            return None
        shown = chain.shown
        if shown is None or shown.picture.shape[:2] != self._shape:
            return None
        return shown if ticks - self._fresh <= shown.ticks <= ticks else None

    def _place(self, group: BaseGroup, newest: int | None) -> None:
        """Put the frames of a group into their chain."""
        reference = self._pool.get(group.reference)
        if reference is None:
            self._statistics.missing_reference += 1
            return
        keyframe = reference.keyframe
        start = nearest(group.pts, keyframe.pts if newest is None else newest)
        chain = self._chain(group, keyframe.picture)
        for number, after in enumerate(group.times):
            if group.index + number >= chain.next:
                data = group.frames[number][1]
                chain.waiting.setdefault(group.index + number, (start + after, data))
        if self.waiting > _MOST_FRAMES or sum(each.waits for each in self._chains) > _MOST_BYTES:
            _log.info("a chain of the base layer is dropped: too much of it waits")
            self._statistics.late += 1
            self._chains.pop(0)

    def _chain(self, group: BaseGroup, still: CodedPicture) -> _Chain:
        """The chain of a group: a known one, or a new one."""
        for chain in self._chains:
            same = (chain.reference, chain.number) == (group.reference, group.chain)
            if same and chain.still == still:
                return chain
        chain = _Chain(group.reference, group.chain, still)
        self._chains.append(chain)
        del self._chains[:-_MOST_CHAINS]
        return chain
