"""`Flood`: limits how much each address may ask of a server, without storing addresses.

An address is remembered as a keyed hash that only this process can make. All addresses of an IPv6
network count as one, because a home has 2^64 of them. An address that has been quiet for long is
forgotten.
"""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from .rooms import Limits

__all__ = ["Flood"]

_REMEMBERED = 20_000  # addresses


@dataclass(slots=True)
class _Caller:
    allowance: float
    seen: float
    connections: int = 0


class Flood:
    """Counts requests and connections of each address.

    Args:
        limits: see `Limits`.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._key = secrets.token_bytes(16)
        self._callers: OrderedDict[bytes, _Caller] = OrderedDict()  # longest quiet first
        self._connections = 0

    def caller(self, address: str) -> bytes:
        """The 8 bytes that stand for an address from now on."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            network = address.encode(errors="replace")[:64]
        else:
            mapped = getattr(parsed, "ipv4_mapped", None) or parsed
            network = mapped.packed if mapped.version == 4 else mapped.packed[:8]
        return hashlib.blake2b(network, key=self._key, digest_size=8).digest()

    def allows(self, caller: bytes, now: float) -> bool:
        """Count a request; returns False if it is one too many."""
        entry = self._entry(caller, now)
        if entry.allowance < 1:
            return False
        entry.allowance -= 1
        return True

    def connect(self, caller: bytes, now: float) -> bool:
        """Count a connection; returns False if it is one too many, which is then not counted."""
        entry = self._entry(caller, now)
        if self._connections >= self._limits.connections:
            return False
        if entry.connections >= self._limits.connections_each:
            return False
        self._connections += 1
        entry.connections += 1
        return True

    def disconnect(self, caller: bytes) -> None:
        """Note that a connection that was counted has ended."""
        self._connections -= 1
        if caller in self._callers:
            self._callers[caller].connections -= 1

    def _entry(self, caller: bytes, now: float) -> _Caller:
        entry = self._callers.get(caller)
        if entry is None:
            entry = self._callers[caller] = _Caller(self._limits.burst, now)
        entry.allowance = min(
            self._limits.burst, entry.allowance + (now - entry.seen) * self._limits.rate
        )
        entry.seen = now
        self._callers.move_to_end(caller)
        if len(self._callers) > _REMEMBERED:
            quiet = next(key for key, old in self._callers.items() if not old.connections)
            del self._callers[quiet]
        return entry
