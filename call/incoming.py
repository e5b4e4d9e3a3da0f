"""`Incoming`: the half of a call that receives. It makes media and reports out of datagrams.

datagram ─┬→ CONTROL → the peer's reports: they are about what this side sends
          └→ packets → Checks → Decoder → sound, and pictures that are not rendered yet

Before `bind` there are no `Checks`, and everything is let in.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..codec.control import Clock, Control, State, Wants
from ..codec.errors import FacewireError, StreamError
from ..codec.packet import Kind, Packet
from ..codec.stream import StreamHeader
from ..receiver.decoder import Decoder, Due
from .arrivals import ArrivalLog
from .checking import Checks
from .pack import Datagram

__all__ = ["Incoming", "Received"]

_MS = 1000
_LOW = 0xFFFF  # of a session number, as datagrams carry it
_LEFT = 16  # sessions of the peer that are remembered
_GONE_S = 2.0  # without any datagram for so long, the line counts as broken
_NOTHING = Control()
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Received:
    """What a datagram brought.

    Attributes:
        reports: the peer's reports on what this side sends.
        due: sound and pictures; each of the two is in the order of its times.
        anew: whether the peer began another stream with this datagram.
    """

    reports: Sequence[Control] = ()
    due: Sequence[Due] = ()
    anew: bool = False


class Incoming:
    """Receives one peer.

    Args:
        decoder: of the peer's stream.

    Attributes:
        decoder: as given.
        arrivals: when datagrams came.
        state: what the peer says of his camera and microphone; None before he has said anything.
        heard: time of the last datagram that counted, None before the first.
        damaged: datagrams that could not be read.
        strangers: datagrams of another session than the one that is followed.
        restarts: sessions that were followed after the first.
        checks: what the peer must have signed; None where nothing is checked.
        refused: the sentence that says why the peer's stream cannot be shown, else None.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.arrivals = ArrivalLog()
        self.damaged = self.strangers = self.restarts = 0
        self.refused: str | None = None
        self.state: State | None = None
        self.heard: float | None = None
        self.checks: Checks | None = None
        self._session: int | None = None
        self._left: deque[int] = deque(maxlen=_LEFT)  # full numbers of sessions, also this one's
        self._stranger: float | None = None  # when another session than that one was heard
        self._echo: tuple[int, float] | None = None  # the peer's clock reading, when it came

    def receive(self, data: bytes, now: float) -> Received:
        """Take a datagram as it came from the network; `now` is this side's clock in seconds."""
        try:
            datagram = Datagram.parse(data)
        except StreamError:
            self.damaged += 1
            return Received()
        controls = (self._control(p, now) for p in datagram.packets if p.kind == Kind.CONTROL)
        reports = [control for control in controls if control is not None]
        if self.checks is not None:
            datagram = self._checked(datagram, reports, self.checks, now)
        reports = [report for report in reports if replace(report, proof=None) != _NOTHING]
        anew = datagram.session != self._session
        if anew and not self._follow(datagram):
            self.strangers += 1
            self._stranger = now
            return Received(reports)
        self.heard, self._stranger = now, None
        due: list[Due] = []
        if self.arrivals.add(datagram.number, now):
            for packet in datagram.packets:
                if packet.kind != Kind.CONTROL:
                    due += self._decode(packet, now)
        return Received(reports, due, anew)

    def bind(self, checks: Checks) -> None:
        """From now on, show only what the peer signed."""
        self.checks = checks
        self.decoder.guard(checks.admits)

    def tick(self, now: float, needed: float | None = None) -> Sequence[Due]:
        """What has become due because time passed: the decoder waits for a gap only so long, and
        with sound no longer than until it is `needed`; see `Decoder.expire`.
        """
        if self.checks is not None:
            self.checks.tick(now)
        return self.decoder.expire(now, needed)

    def is_heard(self, now: float) -> bool:
        """Whether the peer has sent something lately, even of a session that is not known yet."""
        times = [time for time in (self.heard, self._stranger) if time is not None]
        return bool(times) and now - max(times) <= _GONE_S

    def report(self, now: float, state: State) -> Control:
        """What the peer should know of his stream, of his datagrams and of this side's state."""
        sent = int(now * _MS) % (1 << 32)
        clock = Clock(sent)
        if self._echo is not None:
            held = min(max(int((now - self._echo[1]) * _MS), 0), _LOW)
            clock = Clock(sent, self._echo[0], held)
        report = self.decoder.report()
        wants = report.wants | (Wants.NOTHING if self._stranger is None else Wants.STREAM)
        arrivals = self.arrivals.report(now)
        return replace(report, wants=wants, arrivals=arrivals, clock=clock, state=state)

    def _follow(self, datagram: Datagram) -> bool:
        """Whether another session is followed now: as soon as its STREAM packet comes, which a side
        that begins anew sends again and again. No session is followed a second time.
        """
        named = [_session(packet) for packet in datagram.packets if packet.kind == Kind.STREAM]
        session = next((n for n in named if n is not None and n & _LOW == datagram.session), None)
        if session is None or session in self._left:
            return False
        if self._session is not None:
            _log.info("the peer began anew")
            self.restarts += 1
            self.decoder.reset()
            self.arrivals = ArrivalLog()
        self._session = datagram.session
        self._left.append(session)
        if self.checks is not None:
            self.checks.follow(session)
        return True

    def _checked(
        self, datagram: Datagram, reports: Sequence[Control], checks: Checks, now: float
    ) -> Datagram:
        """The datagram without the STREAM packets that the peer did not sign. Signatures are read
        first, wherever they stand in it.
        """
        checks.tick(now)
        for report in reports:
            keyframe = None if report.proof is None else checks.take(report.proof)
            if keyframe is not None:
                self.decoder.admit(keyframe)
        packets = tuple(
            packet
            for packet in datagram.packets
            if packet.kind != Kind.STREAM or checks.stream(packet.payload)
        )
        return replace(datagram, packets=packets)

    def _control(self, packet: Packet, now: float) -> Control | None:
        try:
            control = Control.from_payload(packet.payload)
        except StreamError:
            self.damaged += 1
            return None
        if control.state is not None:
            self.state = control.state
        if control.clock is not None:
            self._echo = control.clock.sent, now
        return control

    def _decode(self, packet: Packet, now: float) -> Sequence[Due]:
        try:
            due = self.decoder.take(packet, now)
        except FacewireError as error:
            if self.refused is None:
                _log.warning("the peer cannot be shown: %s", error)
            self.refused = str(error)
            return ()
        if packet.kind == Kind.STREAM:
            self.refused = None
        return due


def _session(packet: Packet) -> int | None:
    """The full session number that a STREAM packet names; None where it cannot be read."""
    try:
        return StreamHeader.from_payload(packet.payload).session
    except StreamError:
        return None
