"""The weights of APB2FaceV2 on disk; `apb2face.generator_store` writes them."""

from __future__ import annotations

from ...codec.errors import WeightsError
from ..apb2face.generator_store import stored_tensors
from ..weights import Card
from .network import Apb2FaceV2, ReenactorV2Config

__all__ = ["load_v2"]


def load_v2(card: Card) -> Apb2FaceV2:
    """The network of a card, in float32 and ready to run.

    Raises:
        WeightsError: the weights are missing or damaged, or do not fit their configuration.
    """
    try:
        network = Apb2FaceV2(ReenactorV2Config(**card.config), card.face_table())
        network.load_state_dict(stored_tensors(card))
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{card.weights} does not fit its configuration: {error}") from error
    return network.eval()
