"""Loads the generator that a stream's header asks for; each refusal has its own sentence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...codec.errors import ConfigError, MissingExtraError, UnsupportedError, WeightsError
from ...codec.stream import StreamHeader
from ...models.weights import Card, changed_tensors, find_card, fusion_card, load_card
from ...models.weights.store import REENACTORS
from ..config import Backend, DecoderConfig, Precision
from .base_alone import BaseAlone
from .live import LiveGenerator
from .protocol import Array, Fuser, Generator

__all__ = ["load_generator", "open_fuser", "open_generator"]

_FAMILY = "avfr-"
_LIGHTEST = "xs"


def open_generator(header: StreamHeader, config: DecoderConfig) -> Generator:
    """Find and load the network that a stream was made for. This takes about a second.

    Args:
        header: names the model and the SHA-256 of its weights.
        config: `weights` may give a folder in place of the shipped networks, and `identity` what
            the network learned of a person.

    Raises:
        UnsupportedError: a kind of model or a picture size that this build does not know.
        WeightsError: the weights are not here or have another hash, or the identity does not fit
            them.
        ConfigError: the precision is not available here.
        MissingExtraError: backend "torch" is not installed.
    """
    if not header.model.startswith(_FAMILY) and header.model not in REENACTORS:
        raise UnsupportedError(
            f"the stream was made for the model {header.model!r}; this build knows models whose "
            f"name begins with {_FAMILY!r}, and {' and '.join(REENACTORS)}. A newer facewire may "
            "know it"
        )
    if config.weights is None:
        card = find_card(header.model, header.weights_sha256)
    else:
        card = load_card(config.weights)
        if card.sha256 != header.weights_sha256:
            raise WeightsError(
                f"the stream was made with weights of {header.model} whose SHA-256 begins with "
                f"{header.weights_sha256.hex()[:12]}; those in {config.weights} are {card.name}, "
                f"{card.sha256.hex()[:12]}"
            )
    side = int(card.config["size"])
    if (header.width, header.height) != (side, side):
        raise UnsupportedError(
            f"the stream's pictures are {header.width}x{header.height}; "
            f"{card.name} makes {side}x{side}"
        )
    changes = None if config.identity is None else changed_tensors(card, config.identity)
    generator = _load(card, config, changes)
    return LiveGenerator(generator, _lighter(card, config)) if config.live else generator


def _lighter(card: Card, config: DecoderConfig) -> Generator | None:
    """The smallest network, if the stream's is a larger one with the same landmarks."""
    if card.name in REENACTORS:
        return None  # its pictures would be of another kind
    lightest = load_card(_LIGHTEST)
    if lightest.name == card.name or lightest.config["size"] != card.config["size"]:
        return None
    ours, theirs = vars(card.face_table()), vars(lightest.face_table())
    if any(not np.array_equal(ours[name], theirs[name]) for name in ours):
        return None
    return _load(lightest, config, None)


def _load(card: Card, config: DecoderConfig, changes: Mapping[str, Array] | None) -> Generator:
    """Load a generator with the threads that suit it. The smallest one is for busy computers, and
    there a picture that several threads make waits for the slowest of them.
    """
    threads = config.threads or None
    if threads is None and config.live and card.name == load_card(_LIGHTEST).name:
        threads = 1
    return load_generator(
        card, config.backend, threads, config.precision, changes, parallel=config.parallel
    )


def open_fuser(config: DecoderConfig) -> Fuser:
    """Load what combines generated pictures with those of the base layer: the fusion network, or
    `BaseAlone` if its weights are not here.

    Raises:
        WeightsError: the exported files of the network are missing or damaged.
    """
    try:
        card = fusion_card()
    except WeightsError:
        return BaseAlone()
    from .fusion import Fusion

    return Fusion(card, config.threads or None, parallel=config.parallel)


def load_generator(
    card: Card,
    backend: Backend = "openvino",
    threads: int | None = None,
    precision: Precision = "auto",
    changes: Mapping[str, Array] | None = None,
    *,
    parallel: int = 1,
) -> Generator:
    """Load the generator of a card.

    Args:
        card: a card of `models.weights`.
        backend: `openvino` or `torch`.
        threads: CPU threads; None lets the backend choose.
        precision: `auto` takes the fastest that keeps the picture (`precision.py`).
        changes: tensors of the decoder by name that replace the stored ones. int8 is not
            available with them, because its graph holds the stored ones, rounded.
        parallel: how many threads may call `render` at the same time. With more than 1, each
            picture is made by one CPU thread, and `threads` is not used.

    Raises:
        ConfigError: an unknown backend, or a precision or `parallel` that it does not offer here.
        MissingExtraError: `torch` without the extra `[torch]`.
        WeightsError: the exported files are missing or damaged, or the changes do not fit them.
    """
    if card.name in REENACTORS:
        from .reenactors import load_reenactor

        if changes:
            raise ConfigError(f"{card.name} takes no identity: an identity is for AVFR-GAN")
        return load_reenactor(card, backend, threads, precision, parallel=parallel)
    if backend == "openvino":
        from .openvino import OpenVinoGenerator
        from .precision import choose, require

        if precision == "auto":
            precision = choose(card, 1 if parallel > 1 else threads, stored=not changes)
        require(card, precision)
        return OpenVinoGenerator(card, threads, precision, changes, parallel=parallel)
    if backend == "torch":
        if parallel > 1:
            raise ConfigError("the torch backend renders one picture at a time: set parallel to 1")
        try:
            from .torch import TorchGenerator
        except ImportError as error:
            raise MissingExtraError("the torch backend", "torch") from error
        return TorchGenerator(card, threads, precision, changes)
    raise ConfigError(f"the backend is `openvino` or `torch`, not {backend!r}")
