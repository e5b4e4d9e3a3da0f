"""`Abilities`: what a side of a call can run. Each side tells the other before the first frame.

They are a map in msgpack: `v` version of facewire, `w` version of the wire format, `d` version of
datagrams, `n` networks that it can show, `s` the network that it sends for, `p` motion profiles,
`k` public key, `b` whether it can show a base layer (no, where it is missing). A network is named
with the first 8 letters of its hash: "avfr-s:0123abcd".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

import msgpack

from ..codec.errors import ConfigError, PeerError, StreamError
from ..codec.motion.profiles import Profile
from ..codec.stream import VERSION as WIRE
from ..codec.untrusted import unpack
from ..models.weights import has_fusion, load_card, shipped
from .pack import VERSION as DATAGRAMS

__all__ = ["Abilities"]

_MOST = 32  # networks or profiles
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,79}")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a side can run.

    Attributes:
        version: version of facewire, for messages.
        wire: version of the wire format.
        datagrams: version of datagrams, see `pack.py`.
        networks: the networks whose streams this side can show.
        sends: the network for which this side sends; "" if that is left open.
        profiles: the profiles of motion that this side can read.
        key: this side's public key for the call, 32 bytes: it signs STREAM and keyframes
            (`signing.py`).
        base: whether this side has the fusion network, and can show a base layer well.

    Raises:
        ConfigError: a name is not a valid one, or there are too many of them.
    """

    version: str
    wire: int
    datagrams: int
    networks: tuple[str, ...]
    sends: str
    profiles: tuple[str, ...]
    key: bytes
    base: bool = False

    def __post_init__(self) -> None:
        names = [self.version, *self.networks, *self.profiles]
        names += [self.sends] if self.sends else []
        if not all(isinstance(n, str) and _NAME.fullmatch(n) for n in names):
            raise ConfigError("a network, a profile or the version has a name that cannot be one")
        if max(len(self.networks), len(self.profiles)) > _MOST or len(self.key) != 32:
            raise ConfigError(f"at most {_MOST} networks and profiles; a key has 32 bytes")

    @classmethod
    def here(cls, network: str, key: bytes) -> Self:
        """What this installation can run.

        Args:
            network: the shipped network for which this side sends, "xs" or "s".
            key: see the attributes.

        Raises:
            WeightsError: there is no such network.
        """
        from .. import __version__

        return cls(
            version=__version__,
            wire=WIRE,
            datagrams=DATAGRAMS,
            networks=tuple(_named(size) for size in shipped()),
            sends=_named(network),
            profiles=tuple(Profile),
            key=key,
            base=has_fusion(),
        )

    def __bytes__(self) -> bytes:
        return bytes(
            msgpack.packb(
                {
                    "v": self.version,
                    "w": self.wire,
                    "d": self.datagrams,
                    "n": list(self.networks),
                    "s": self.sends,
                    "p": list(self.profiles),
                    "k": self.key,
                    "b": self.base,
                }
            )
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read what the other side says.

        Raises:
            PeerError: the bytes are not abilities.
        """
        try:
            fields: Any = unpack(data, containers=4, entries=_MOST)
            networks, profiles = fields["n"], fields["p"]
            numbers = fields["w"], fields["d"]
            if not all(type(n) is int for n in numbers) or not isinstance(fields["k"], bytes):
                raise TypeError("a number or the key is of another kind")
            return cls(
                fields["v"],
                *numbers,
                tuple(networks),
                fields["s"],
                tuple(profiles),
                fields["k"],
                fields.get("b") is True,
            )
        except (StreamError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise PeerError("the other side does not say what it can run") from error

    def fit(self, other: Abilities) -> None:
        """Check that both sides can show what the other sends.

        Raises:
            PeerError: something does not fit; the message says what, and what helps.
        """
        if other.key == self.key:
            raise PeerError("the other side has this side's own key: the server repeats")
        versions = f"it has facewire {other.version}, this side {self.version}"
        if (self.wire, self.datagrams) != (other.wire, other.datagrams):
            raise PeerError(
                f"the other side speaks another version of the format: {versions}. "
                "Both need the same one"
            )
        if other.sends and other.sends not in self.networks:
            raise PeerError(
                f"the other side sends for the network {other.sends}, which is not here: {versions}"
            )
        if self.sends and self.sends not in other.networks:
            raise PeerError(
                f"the other side lacks the network {self.sends}: {versions}. "
                "Choose another one with --network"
            )
        if not set(self.profiles) & set(other.profiles):
            raise PeerError(f"no way to code motion is known to both sides: {versions}")


def _named(size: str) -> str:
    """A network with the first letters of its hash."""
    card = load_card(size)
    return f"{card.name}:{card.sha256.hex()[:8]}"
