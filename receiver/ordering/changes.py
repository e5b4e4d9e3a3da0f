"""`StreamChanges`: decides whether a STREAM packet that names another stream is followed.

STREAM packets are repeated, so a copy may come late, and a hostile sender may alternate between two
streams. Following one loses the state of the other. So a stream that was left is followed again
only by a newer packet, and there is at most one change a second, by the clock or, without one, by
the time of the stream. A sender that begins anew chooses another session number. It never goes back
to an old one, whatever the sequence number of the packet that names it.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from ...codec.counters import nearest
from ...codec.packet import Kind, Packet
from ...codec.stream import StreamHeader

__all__ = ["StreamChanges"]

_APART = Fraction(1)
"""Seconds from one change to the next, at least; the first change is free."""
_REMEMBERED = 4
"""Number of streams that are remembered after they were left."""
_RESTART = 3000
"""A sequence number that jumps by more than this is that of a sender that began anew (MAX_DROPOUT
of RFC 3550, A.1)."""


class StreamChanges:
    """Follows the stream of one decoder. Without a clock, time is measured by the sound or the
    motion that came.
    """

    def __init__(self) -> None:
        self._left: deque[StreamHeader] = deque(maxlen=_REMEMBERED)
        self._current: StreamHeader | None = None
        self._sequence = 0  # full number of the newest STREAM packet of the current stream
        self._passed: dict[Kind, Fraction] | None = None  # None before the first change
        self._changed: float | None = None

    def allows(self, header: StreamHeader, packet: Packet, now: float | None = None) -> bool:
        """Whether the stream in a STREAM packet may become the current one, or is it already."""
        if self._current is None or header == self._current:
            return True
        if header.session and header.session != self._current.session:
            old = any(header.session == left.session for left in self._left)
        else:
            step = nearest(packet.sequence, self._sequence) - self._sequence
            old = header in self._left and -_RESTART <= step <= 0
        return not old and self._long_enough(now)

    def follow(self, header: StreamHeader, packet: Packet, now: float | None = None) -> None:
        """Tell that the stream in a STREAM packet is the current one."""
        number = nearest(packet.sequence, self._sequence)
        if self._current is None:
            self._sequence = packet.sequence
        elif header != self._current:
            self._left.append(self._current)
            self._sequence = number
            self._passed, self._changed = {}, now
        elif abs(number - self._sequence) > _RESTART:
            self._sequence = number
        else:
            self._sequence = max(self._sequence, number)
        self._current = header

    def pass_time(self, kind: Kind, seconds: Fraction) -> None:
        """Count the duration of a packet of sound or motion, a second at most."""
        if self._passed is not None:
            passed = self._passed.get(kind, Fraction(0)) + min(seconds, Fraction(1))
            self._passed[kind] = min(passed, _APART)

    def _long_enough(self, now: float | None) -> bool:
        """Whether the last change was long enough ago."""
        if self._passed is None:
            return True
        if now is not None and self._changed is not None:
            return now - self._changed >= _APART
        return max(self._passed.values(), default=Fraction(0)) >= _APART
