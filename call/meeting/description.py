"""`Description`: what each side tells the other in a sealed message, so that the two can connect.

It is a map in msgpack, with short keys, at most 2048 bytes:

    v  version, 1                    u  ICE user fragment       p  ICE password
    f  SHA-256 of the certificate    c  candidates              n  nonce, or a commitment to it
    a  abilities, see `abilities.py`

Each candidate is an array: 0 for host, 1 for server reflexive, 2 for relay; the address's 4 or 16
bytes; port; priority. From these, a web page can write the SDP that it needs (`docs/calling.md`).
An address is a number and never a name, because a name would have to be looked up.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Self

import msgpack

from ...codec.errors import ConfigError, PeerError, StreamError
from ...codec.untrusted import unpack

__all__ = ["MAX_CANDIDATES", "MAX_DESCRIPTION", "Candidate", "Description"]

VERSION = 1
MAX_DESCRIPTION = 2048
MAX_CANDIDATES = 12
"""Beyond these, a side would send connectivity checks to anybody whom the other names."""
_KINDS = ("host", "srflx", "relay")
_USER, _PASSWORD = re.compile(r"[A-Za-z0-9+/]{4,64}"), re.compile(r"[A-Za-z0-9+/]{22,128}")


@dataclass(frozen=True, slots=True)
class Candidate:
    """An address at which a side may be reached by UDP.

    Attributes:
        kind: "host", "srflx" or "relay" (RFC 8445, section 5.1.1).
        address: IPv4 or IPv6, as text.
        port: 1 to 65535.
        priority: 1 to 2^31 - 1.

    Raises:
        ConfigError: a value out of range, or a name in place of an address.
    """

    kind: str
    address: str
    port: int
    priority: int

    def __post_init__(self) -> None:
        try:
            parsed = ipaddress.ip_address(self.address)
        except ValueError:
            raise ConfigError("a candidate needs an address of numbers") from None
        if parsed.is_multicast or parsed.is_unspecified or str(parsed) == "255.255.255.255":
            raise ConfigError(f"{parsed} is no address of one machine")
        if self.kind not in _KINDS or not 1 <= self.port < 2**16:
            raise ConfigError(f"a candidate of kind {self.kind!r} with port {self.port}")
        if not 1 <= self.priority < 2**31:
            raise ConfigError(f"a candidate has a priority of 1 to 2^31 - 1, not {self.priority}")


@dataclass(frozen=True, slots=True)
class Description:
    """One side of a connection.

    Attributes:
        user: ICE user fragment.
        password: ICE password.
        fingerprint: 32 bytes, SHA-256 of the DTLS certificate.
        candidates: 1 to `MAX_CANDIDATES`.
        nonce: the guest's 16 random bytes, or the maker's commitment of 32 bytes (`words.py`).
        abilities: at most 1024 bytes, see `abilities.py`.

    Raises:
        ConfigError: a value out of range.
    """

    user: str
    password: str
    fingerprint: bytes
    candidates: tuple[Candidate, ...]
    nonce: bytes
    abilities: bytes = b""

    def __post_init__(self) -> None:
        if not _USER.fullmatch(self.user) or not _PASSWORD.fullmatch(self.password):
            raise ConfigError("the ICE user or password is not one (RFC 8839, section 5.4)")
        if len(self.fingerprint) != 32 or len(self.nonce) not in (16, 32):
            raise ConfigError("a fingerprint has 32 bytes, a nonce 16, a commitment 32")
        if not 1 <= len(self.candidates) <= MAX_CANDIDATES:
            raise ConfigError(f"{len(self.candidates)} candidates; 1 to {MAX_CANDIDATES} are taken")
        if len(self.abilities) > 1024:
            raise ConfigError("abilities take at most 1024 bytes")

    def __bytes__(self) -> bytes:
        return bytes(
            msgpack.packb(
                {
                    "v": VERSION,
                    "u": self.user,
                    "p": self.password,
                    "f": self.fingerprint,
                    "c": [
                        [
                            _KINDS.index(c.kind),
                            ipaddress.ip_address(c.address).packed,
                            c.port,
                            c.priority,
                        ]
                        for c in self.candidates
                    ],
                    "n": self.nonce,
                    "a": self.abilities,
                }
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a description.

        Raises:
            PeerError: the bytes are a description of another version, or none.
        """
        if len(data) > MAX_DESCRIPTION:
            raise PeerError(f"a description of {len(data)} bytes; {MAX_DESCRIPTION} are read")
        try:
            fields = unpack(data, containers=MAX_CANDIDATES + 4, entries=16)
        except StreamError as error:
            raise PeerError("the other side sent something else than its description") from error
        if not isinstance(fields, dict):
            raise PeerError("the other side sent something else than its description")
        if fields.get("v") != VERSION:
            raise PeerError(
                f"the other side describes itself in version {fields.get('v')!r}, this one reads "
                f"version {VERSION}: both sides need the same version of facewire"
            )
        try:
            return cls(
                _typed(fields["u"], str),
                _typed(fields["p"], str),
                _typed(fields["f"], bytes),
                tuple(_candidate(entry) for entry in _typed(fields["c"], list)),
                _typed(fields["n"], bytes),
                _typed(fields.get("a", b""), bytes),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise PeerError(f"the description of the other side is damaged: {error}") from error


def _candidate(entry: Any) -> Candidate:
    kind, address, port, priority = _typed(entry, list)
    kind = _KINDS[_typed(kind, int) % len(_KINDS)]
    text = str(ipaddress.ip_address(_typed(address, bytes)))
    return Candidate(kind, text, _typed(port, int), _typed(priority, int))


def _typed(value: Any, kind: type[Any]) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} where {kind.__name__} belongs")
    return value
