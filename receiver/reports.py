"""`Reports`: what a decoder tells the sender, and when."""

from __future__ import annotations

from ..codec.control import Control, Wants
from ..codec.keyframe import KeyframeAssembler
from .config import DecoderConfig
from .ordering.order import Order
from .report_pace import ReportPace
from .statistics import Statistics
from .tracks.stream import StreamTracks

__all__ = ["Reports"]

_APART_S = 0.2
"""Between reports that name missing fragments."""


class Reports:
    """Puts reports together from the parts of a decoder.

    Args:
        config: of the decoder.
        statistics: of the decoder, which says what is wanted.
        order: knows which packets came.
        keyframes: knows which fragments are missing.
    """

    def __init__(
        self,
        config: DecoderConfig,
        statistics: Statistics,
        order: Order,
        keyframes: KeyframeAssembler,
    ) -> None:
        self._wait = config.reorder_ms / 1000
        self._statistics = statistics
        self._order = order
        self._keyframes = keyframes
        self.reset()

    def reset(self) -> None:
        """Another stream begins."""
        self._pace = ReportPace()
        self._named: float | None = None  # when missing fragments were last named
        self._announced = False
        self._packets = 0

    def count(self) -> None:
        """A packet came."""
        self._packets += 1

    def announce(self, known: bool) -> None:
        """Tell whether the sender has said by now which stream it sends."""
        self._announced = known

    def report(self, stream: StreamTracks | None, now: float | None) -> Control:
        """A report. If it names missing fragments, the next ones do not for 0.2 s."""
        missing = None
        if now is not None and self._may_name(now):
            missing = self._keyframes.missing(now, self._wait)
            self._named = self._named if missing is None else now
        decoded = None if stream is None else stream.pictures.decoded
        return Control(
            session=0 if stream is None else stream.header.session,
            received=self._order.received,
            decoded=None if decoded is None else decoded % (1 << 32),
            references=None if stream is None else stream.pictures.references,
            wants=self._wants(),
            missing=missing,
        )

    def due(self, stream: StreamTracks | None, now: float) -> bytes:
        """The payload of a report if one should go out now, else nothing."""
        urgent = self._may_name(now) and self._keyframes.missing(now, self._wait) is not None
        if not self._pace.is_due(now, self._packets, self._wants(), urgent):
            return b""
        return self.report(stream, now).to_payload()

    def _wants(self) -> Wants:
        counts = self._statistics
        wants = Wants.KEYFRAME if counts.wants_keyframe else Wants.NOTHING
        wants |= Wants.REFRESH if counts.wants_refresh else Wants.NOTHING
        wants |= Wants.IDENTITY if counts.wants_identity else Wants.NOTHING
        wants |= Wants.BASE if counts.wants_base else Wants.NOTHING
        unknown = bool(self._packets) and not self._announced
        return wants | (Wants.STREAM if unknown else Wants.NOTHING)

    def _may_name(self, now: float) -> bool:
        return self._named is None or now - self._named >= _APART_S
