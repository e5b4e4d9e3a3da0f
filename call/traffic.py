"""`Traffic`: bytes of a connection as the line carries them, with the headers of IP and UDP.

It also bounds what is taken in: a call needs some 20 kbit/s, its first pictures some hundred
kilobytes; whoever sends more is not listened to.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Traffic"]

_UDP = 8
_IP = {4: 20, 6: 40}
_BURST, _RATE = 512_000.0, 125_000.0  # bytes; bytes a second: 1 Mbit/s


@dataclass(slots=True)
class Traffic:
    """Counts of one connection; everything is counted: media, DTLS, ICE's checks.

    Attributes:
        sent_bytes: IP bytes that were given to the system.
        sent: packets.
        received_bytes: IP bytes that came, those that were dropped included.
        received: packets.
        dropped: packets that came beyond 1 Mbit/s (after 512 kB at once), from a foreign source,
            or that were not what they should be.
        heard: time of the last packet that came, seconds.
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
        """Count a packet that came; False where it is to be dropped."""
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
