"""From a stream's header to the generator it asks for; every reason to refuse has its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..codec.errors import UnsupportedError, WeightsError
from ..codec.stream import StreamHeader
from .output import DecoderConfig

if TYPE_CHECKING:
    from .runtime import Generator

__all__ = ["open_generator"]

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
    from ..models.weights import changed_tensors, find_card, load_card

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
    from .runtime import load_generator

    changes = None if config.identity is None else changed_tensors(card, config.identity)
    return load_generator(card, config.backend, config.threads or None, config.precision, changes)
