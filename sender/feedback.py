"""`Feedback`: what the receivers' reports lead to."""

from __future__ import annotations

from fractions import Fraction

from ..codec.control import Control, Wants
from ..codec.packet import Packet
from .announcing import Announcer
from .live import LiveCoder
from .motion.animation import Animation

__all__ = ["Feedback"]

_REFRESH_S = Fraction(2, 5)  # from one refresh that the receiver asks for to the next
_U32 = 1 << 32


class Feedback:
    """Takes the reports on one stream. The receiver may be mistaken, or lie.

    Args:
        session: number of the stream, 0 if it has none.
        announcer: learns what the receiver knows and wants of the stream's parameters.
        animation: learns which frames and references the receiver has.
        live: sends fragments again; None in a file.

    Attributes:
        resent: fragments of keyframes that were sent again.
        foreign: reports on another session, which were ignored.
    """

    def __init__(
        self, session: int, announcer: Announcer, animation: Animation, live: LiveCoder | None
    ) -> None:
        self._session = session
        self._announcer, self._animation, self._live = announcer, animation, live
        self._refreshed: Fraction | None = None
        self.resent = self.foreign = 0

    def take(self, report: Control, last: int | None, now: Fraction) -> list[Packet]:
        """Take a report.

        Args:
            report: of any session.
            last: time of the last frame in ticks, None before the first.
            now: seconds from the stream's beginning.

        Returns:
            Fragments of keyframes to be sent again. They are counted, but not numbered.
        """
        if not self.concerns(report):
            self.foreign += 1
            return []
        packets: list[Packet] = []
        if report.session or not self._session:
            self._announcer.named()
            packets = self._answers(report, last, now)
        if report.wants & Wants.STREAM:
            self._announcer.want_stream()
        if report.wants & Wants.IDENTITY:
            self._announcer.want_identity(now)
        refreshed = self._refreshed
        if report.wants & Wants.REFRESH and (refreshed is None or now - refreshed >= _REFRESH_S):
            self._refreshed = now
            self._animation.stream.refresh()
        return packets

    def concerns(self, report: Control) -> bool:
        """Whether a report is on this stream, or names none."""
        return report.session in (0, self._session)

    def _answers(self, report: Control, last: int | None, now: Fraction) -> list[Packet]:
        """What a report on this stream says of frames, references and fragments."""
        if report.decoded is not None and last is not None:
            self._animation.stream.acknowledge(last - (last - report.decoded) % _U32)
        if report.references is not None:
            self._animation.confirm(report.references)
        if report.missing is None or self._live is None:
            return []
        again = self._live.send_again(report.missing, now)
        self.resent += len(again)
        return again
