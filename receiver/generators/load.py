"""From a stream's header to the generator it asks for, with a sentence for each refusal."""

from __future__ import annotations

from collections.abc import Mapping

from ...codec.errors import ConfigError, MissingExtraError, UnsupportedError, WeightsError
from ...codec.stream import StreamHeader
from ...models.weights import Card, changed_tensors, find_card, load_card
from ..config import Backend, DecoderConfig, Precision
from .protocol import Array, Generator

__all__ = ["load_generator", "open_generator"]


_FAMILY = "avfr-"


def open_generator(header: StreamHeader, config: DecoderConfig) -> Generator:
    """Find and load the network that a stream was made for.

    Args:
        header: names the model and the SHA-256 of its weights.
        config: `weights` may give a folder in place of the shipped networks, `identity` what it
            learned of a person.

    Raises:
        UnsupportedError: a kind of model that this build does not know.
        WeightsError: its weights are not here, or have another hash; the identity does not fit
            them.
        ConfigError: a precision that cannot be had here.
    """
    if not header.model.startswith(_FAMILY):
        raise UnsupportedError(
            f"the stream was made for the model {header.model!r}; this build knows those whose "
            f"name begins with {_FAMILY!r}. A newer facewire may know it"
        )
    # Here, not above: a decoder that was given a generator needs neither weights nor runtime.

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
    from .load import load_generator

    changes = None if config.identity is None else changed_tensors(card, config.identity)
    return load_generator(card, config.backend, config.threads or None, config.precision, changes)


def load_generator(
    card: Card,
    backend: Backend = "openvino",
    threads: int | None = None,
    precision: Precision = "auto",
    changes: Mapping[str, Array] | None = None,
) -> Generator:
    """The generator of a card.

    Args:
        card: of `models.weights`.
        backend: `openvino` or `torch`.
        threads: CPU threads, None for the runtime's own choice.
        precision: `auto` takes the fastest that keeps the picture (`receiver.precision`).
        changes: tensors of the decoder by name that take the place of the stored ones; then
            there is no int8, which has the stored ones rounded.

    Raises:
        ConfigError: an unknown backend, or a precision that cannot be had here.
        MissingExtraError: `torch` without the extra `[torch]`.
        WeightsError: the exported files are missing or damaged, or changes do not fit them.
    """
    if backend == "openvino":
        from .openvino import OpenVinoGenerator
        from .precision import choose, require

        if precision == "auto":
            precision = choose(card, threads, stored=not changes)
        require(card, precision)
        return OpenVinoGenerator(card, threads, precision, changes)
    if backend == "torch":
        try:
            from .torch import TorchGenerator
        except ImportError as error:
            raise MissingExtraError("the torch backend", "torch") from error
        return TorchGenerator(card, threads, precision, changes)
    raise ConfigError(f"the backend is `openvino` or `torch`, not {backend!r}")
