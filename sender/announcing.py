"""`Announcer`: STREAM and IDENTITY packets beside those that go before a keyframe."""

from __future__ import annotations

from fractions import Fraction

from ..codec.identity import Identity
from ..codec.identity_packets import introduce
from ..codec.packet import Packet
from ..codec.stream import StreamHeader

__all__ = ["Announcer"]

_UNKNOWN_S = Fraction(1, 2)  # between two STREAM packets until the receiver knows the stream
_KNOWN_S = Fraction(3)  # and after that
_SHARE = 25  # STREAM packets that are repeated take no more than such a part of the rate
_ASKED_S = Fraction(1, 4)  # and where it asks for one
_IDENTITY_S = Fraction(10)  # from one sending of the identity to the next, however often asked


class Announcer:
    """Says when a stream's parameters are sent again; one a stream. Its packets are not numbered.

    Args:
        header: of the stream.
        identity: that is sent with it, or None.
    """

    def __init__(self, header: StreamHeader, identity: Identity | None) -> None:
        self._identity = identity
        self.describe(header)
        self._known = self._asked = False
        self._said: Fraction | None = None
        self._introduced: Fraction | None = None
        self._introduce = True

    def describe(self, header: StreamHeader) -> None:
        """The stream that begins is this one."""
        self._header, self._size = header, len(header.to_payload())

    def stream(self, pts: int, now: Fraction) -> Packet:
        """A STREAM packet that is sent `now` (seconds), before a packet of the time `pts`."""
        self._said, self._asked = now, False
        return self._header.to_packet(0, pts)

    def repeat(self, now: Fraction, per_second: float | None = None) -> list[Packet]:
        """The STREAM packet again, if it is time: a receiver may have missed it, or be new.

        Args:
            now: seconds.
            per_second: bytes a second of the whole rate, None where none is set. The fewer, the
                more seldom a stream that is known is repeated.
        """
        if self._said is None:
            return []
        passed = now - self._said
        if passed < (_ASKED_S if self._asked else _KNOWN_S if self._known else _UNKNOWN_S):
            return []  # the usual case, and there are many calls
        known = _KNOWN_S
        if per_second is not None:
            known = max(known, Fraction(_SHARE * self._size / per_second))
        wait = _ASKED_S if self._asked else known if self._known else _UNKNOWN_S
        return [self.stream(0, now)] if passed >= wait else []

    def identity(self, pts: int, now: Fraction) -> list[Packet]:
        """The identity, if there is one that is still to be sent."""
        wanted, self._introduce = self._introduce, False
        if self._identity is None or not wanted:
            return []
        self._introduced = now
        return introduce(self._identity, 0, pts)

    def named(self) -> None:
        """The receiver has named the stream, so that it has a STREAM packet."""
        self._known = True

    def want_stream(self) -> None:
        """The receiver wants a STREAM packet."""
        self._asked = True

    def ask_identity(self) -> None:
        """Send the identity with the next packets."""
        self._introduce = True

    def want_identity(self, now: Fraction) -> None:
        """The receiver wants the identity; it may still be on its way."""
        if self._introduced is None or now - self._introduced >= _IDENTITY_S:
            self._introduce = True
