"""The weights of APB2FaceV2 on disk; `apb2face.generator_store` writes them."""

from __future__ import annotations

from typing import Any

from ..weights import Card
from ..weights.network_file import load_network
from .network import Apb2FaceV2, ReenactorV2Config

__all__ = ["load_v2"]


def load_v2(card: Card) -> Apb2FaceV2:
    """The network of a card, in float32 and ready to run.

    Raises:
        WeightsError: the weights are missing or damaged, or are another network's.
    """

    def make(config: dict[str, Any]) -> Apb2FaceV2:
        return Apb2FaceV2(ReenactorV2Config(**config), card.face_table())

    return load_network(card.folder, make, "an apb2face-v2 network")
