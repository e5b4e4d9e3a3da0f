"""`Traffic` counts the bytes of a connection on the line, with the headers of IP and UDP.
`Allowance` limits what is accepted: a call needs about 20 kbit/s, and some hundred kilobytes for
its first pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Allowance", "Traffic"]

_UDP = 8
_IP = {4: 20, 6: 40}


@dataclass(slots=True)
class Traffic:
    """Counts everything on one connection: media, DTLS and the checks of ICE.

    Attributes:
        sent_bytes: IP bytes that were given to the system.
        sent: packets that were given to the system.
        received_bytes: IP bytes that came, from whomever, including those that were dropped.
        received: packets that came, from whomever, including those that were dropped.
        dropped: packets that the other side did not send, that are too many, or that are not what
            they should be; `Entrance` says which.
        heard: the time of the last packet that the other side has proven to have sent, in seconds.
    """

    sent_bytes: int = 0
    sent: int = 0
    received_bytes: int = 0
    received: int = 0
    dropped: int = 0
    heard: float = 0.0

    def send(self, payload: int, address: str) -> None:
        """Count a packet with so many bytes of UDP payload, to an address."""
        self.sent += 1
        self.sent_bytes += _size(payload, address)

    def receive(self, payload: int, address: str) -> None:
        """Count a packet that came."""
        self.received += 1
        self.received_bytes += _size(payload, address)


class Allowance:
    """So many bytes at once, and so many each second after that.

    Args:
        burst: bytes at once.
        rate: bytes a second.
    """

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = self._left = burst
        self._rate, self._filled = rate, 0.0

    def has(self, size: int, now: float) -> bool:
        """Whether there are so many bytes left at a time in seconds; none are taken."""
        self._left = min(self._burst, self._left + (now - self._filled) * self._rate)
        self._filled = now
        return size <= self._left

    def take(self, size: int, now: float) -> bool:
        """Take so many bytes, if there are so many left."""
        enough = self.has(size, now)
        if enough:
            self._left -= size
        return enough


def _size(payload: int, address: str) -> int:
    return payload + _UDP + _IP[6 if ":" in address else 4]
