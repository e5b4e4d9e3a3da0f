"""`Traffic`: counts the bytes of a connection on the line, with the headers of IP and UDP.

It also limits what is accepted: a call needs about 20 kbit/s, and some hundred kilobytes for its
first pictures. What goes far beyond that is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Traffic"]

_UDP = 8
_IP = {4: 20, 6: 40}
_BURST, _RATE = 512_000.0, 125_000.0  # bytes; bytes a second: 1 Mbit/s


@dataclass(slots=True)
class Traffic:
    """Counts everything on one connection: media, DTLS and the checks of ICE.

    Attributes:
        sent_bytes: IP bytes that were given to the system.
        sent: packets that were given to the system.
        received_bytes: IP bytes that came, including those that were dropped.
        received: packets that came, including those that were dropped.
        dropped: packets that came beyond 1 Mbit/s (after 512 kB at once), that came from a foreign
            source, or that were not what they should be.
        heard: the time of the last packet that came, in seconds.
    """

    sent_bytes: int = 0
    sent: int = 0
    received_bytes: int = 0
    received: int = 0
    dropped: int = 0
    heard: float = 0.0
    _allowance: float = _BURST
    _filled: float = 0.0

    def send(self, payload: int, address: str) -> None:
        """Count a packet with so many bytes of UDP payload, to an address."""
        self.sent += 1
        self.sent_bytes += payload + _UDP + _IP[6 if ":" in address else 4]

    def receive(self, payload: int, address: str, now: float) -> bool:
        """Count a packet that came; returns False if it is to be dropped."""
        size = payload + _UDP + _IP[6 if ":" in address else 4]
        self.received += 1
        self.received_bytes += size
        self._allowance = min(_BURST, self._allowance + (now - self._filled) * _RATE)
        self._filled = now
        if size > self._allowance:
            self.dropped += 1
            return False
        self._allowance -= size
        return True
