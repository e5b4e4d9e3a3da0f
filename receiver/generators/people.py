"""`People`: the identity of the face that a stream shows, as far as it is known."""

from __future__ import annotations

import logging

from ...codec.errors import StreamError, WeightsError
from ...codec.identity import Identity
from ...codec.identity_packets import IdentityAssembler, fragment_id
from ...codec.packet import Packet
from ...codec.stream import StreamHeader
from ..statistics import Statistics
from .networks import Person

__all__ = ["People"]

_log = logging.getLogger(__name__)


class People:
    """The identity that was configured, or else the one that came in packets.

    Args:
        given: the configured identity, or None.
        statistics: where damaged packets are counted.
    """

    def __init__(self, given: Identity | None, statistics: Statistics) -> None:
        self._given = None if given is None else Person.of(given)
        self._known: Person | None = None  # from packets
        self._introductions = IdentityAssembler()
        self._statistics = statistics

    def find(self, header: StreamHeader) -> Person | None:
        """The configured identity, or else the one that the stream names, if it is known."""
        known = self._known
        return self._given or (known if known is not None and known.id == header.identity else None)

    def check(self, header: StreamHeader) -> None:
        """Refuse to show a stream with another identity than the one that it names.

        Raises:
            WeightsError: the configured identity is not the stream's.
        """
        given = self._given
        if given is not None and header.identity not in (None, given.id):
            raise WeightsError(
                f"the stream belongs to the identity {(header.identity or b'').hex()}, but the one "
                f"that was given is {given.id.hex()}: leave it out, or give the stream's own"
            )

    def push(self, packet: Packet, header: StreamHeader | None) -> bool:
        """Take an IDENTITY packet; returns whether it completes an identity that was not known."""
        known, name = self._known, fragment_id(packet)
        if self._given is not None or (known is not None and known.id == name):
            return False
        if header is not None and header.identity != name:
            return False  # it belongs to another stream
        try:
            identity = self._introductions.push(packet)
        except StreamError as error:
            _log.info("an identity packet was refused: %s", error)
            self._statistics.damaged += 1
            return False
        if identity is None:
            return False
        self._known = Person(identity, name)
        _log.info("the identity %s has arrived", name.hex())
        return True

    def refuse(self, error: WeightsError) -> bool:
        """Forget the identity that came in packets, because it does not fit.

        Returns:
            False if the identity was configured; then it is not forgotten.
        """
        if self._given is not None:
            return False
        _log.warning("the face is shown without its identity: %s", error)
        self._known = None
        self._statistics.damaged += 1
        return True

    def forget(self) -> None:
        """Forget what came in packets."""
        self._known = None
