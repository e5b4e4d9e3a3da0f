"""`Networks`: the generators that a decoder has loaded, and how many more packets may make it load.

Loading takes seconds, and packets decide which network is needed. So packets may cause only a few
loads, and none after the application has called `Decoder.prepare`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ...codec.errors import WeightsError
from ...codec.identity import Identity
from ...codec.stream import StreamHeader
from ...models.weights import load_card
from ..config import DecoderConfig
from .base_alone import BaseAlone
from .live import LiveGenerator
from .load import open_fuser, open_generator

if TYPE_CHECKING:
    from .protocol import Fuser, Generator

__all__ = ["Networks", "NotLoadedError", "Person", "header_for"]

_LOADS = 4
"""How many networks packets may cause to be loaded: a stream, its identity, and one change."""
_KEPT = 3
"""Loaded networks that are kept; beyond that the one loaded first is dropped."""
_Key: TypeAlias = tuple[str, bytes, int, int, bytes | None]
_log = logging.getLogger(__name__)


class NotLoadedError(WeightsError):
    """The network is not loaded, and packets may not cause it to be loaded."""


@dataclass(frozen=True, slots=True)
class Person:
    """An identity and its id, a hash of the whole identity, which is computed only once."""

    identity: Identity
    id: bytes

    @classmethod
    def of(cls, identity: Identity) -> Person:
        """Compute the id."""
        return cls(identity, identity.id)


def header_for(network: str | Path) -> StreamHeader:
    """Header of a stream for a shipped size ("s" or "avfr-s"), or for the folder of a network.

    Raises:
        WeightsError: there is no such network.
    """
    card = load_card(network if isinstance(network, Path) else network.removeprefix("avfr-"))
    size = int(card.config["size"])
    return StreamHeader(card.name, card.sha256, width=size, height=size)


class Networks:
    """Loads generators and keeps a few of them.

    Args:
        config: of the decoder.
        given: a generator that serves every stream; then nothing is ever loaded.

    Attributes:
        fuser: combines generated pictures with those of the base layer, in every stream. It is
            loaded with the first generator.
    """

    def __init__(self, config: DecoderConfig, given: Generator | None = None) -> None:
        self._config = config
        self._given = given
        self.fuser: Fuser = BaseAlone()
        self._fuses = False
        self._loaded: dict[_Key, Generator] = {}
        self._allowed = self._left = _LOADS
        self._light = False

    def lighten(self, light: bool) -> None:
        """Render with the lighter network from now on, or no longer; see `LiveGenerator`."""
        self._light = light
        for generator in self._loaded.values():
            if isinstance(generator, LiveGenerator):
                generator.lighten(light)

    def work_ahead(self) -> bool:
        """Prepare a keyframe that no picture has needed yet; returns whether there was one."""
        loaded = self._loaded.values()
        return any(isinstance(one, LiveGenerator) and one.work_ahead() for one in loaded)

    def reset(self) -> None:
        """Let packets cause as many loads as at first, because the application begins another
        stream.
        """
        self._left = self._allowed

    def close(self) -> None:
        """Free all networks."""
        self._loaded = {}

    def get(self, header: StreamHeader, person: Person | None) -> Generator:
        """The generator for a stream. It is loaded first if necessary, and if packets may cause
        that.

        Raises:
            NotLoadedError: it is not loaded, and packets may not cause it to be.
            UnsupportedError, WeightsError, ConfigError, MissingExtraError: see `open_generator`.
        """
        if self._given is not None:
            return self._given
        generator = self._loaded.get(_key(header, person))
        if generator is not None:
            return generator
        if self._left <= 0:
            raise NotLoadedError(
                f"the packets ask for the network {header.model}, which is not loaded; "
                "Decoder.prepare() loads it"
            )
        generator = self._load(header, person)
        self._left -= 1
        return generator

    def prepare(self, header: StreamHeader, person: Person | None) -> None:
        """Load a generator now. From then on packets cause no loads.

        Raises:
            UnsupportedError, WeightsError, ConfigError, MissingExtraError: see `open_generator`.
        """
        self._allowed = self._left = 0
        if self._given is None and _key(header, person) not in self._loaded:
            self._load(header, person)

    def _load(self, header: StreamHeader, person: Person | None) -> Generator:
        identity = None if person is None else person.identity
        generator = open_generator(header, replace(self._config, identity=identity))
        if not self._fuses:
            self.fuser, self._fuses = open_fuser(self._config), True
        if isinstance(generator, LiveGenerator):
            generator.lighten(self._light)
        # Replaced as a whole, since `prepare` may run in another thread than `get`.
        kept = list(self._loaded.items())[1 - _KEPT :]
        self._loaded = {**dict(kept), _key(header, person): generator}
        adapted = f", adapted to the identity {person.id.hex()}" if person else ""
        _log.info("loaded the network %s%s", header.model, adapted)
        return generator


def _key(header: StreamHeader, person: Person | None) -> _Key:
    """All that `open_generator` looks at. (It refuses a stream of another size.)"""
    name = None if person is None else person.id
    return header.model, header.weights_sha256, header.width, header.height, name
