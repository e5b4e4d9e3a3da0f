"""The weights of both reenactors on disk, with what a receiver needs to run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...codec.errors import WeightsError
from ...codec.whole_file import whole_path
from ..face.table import FaceTable
from ..weights import Card
from ..weights.store import WEIGHTS_FILE
from .reenactor import FaceReenactor, ReenactorConfig

__all__ = ["load_reenactor", "save_generator", "stored_tensors"]


def save_generator(
    network: nn.Module, config: dict[str, Any], face: FaceTable, folder: Path
) -> Path:
    """Write `model.safetensors`: weights and the table's regression in FP16, other tables as they
    are. Returns its path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    learned = {name for name, _ in network.named_parameters()}
    state = {
        name: (value.half() if name in learned else value).detach().cpu().contiguous()
        for name, value in network.state_dict().items()
    }
    for name in FaceTable.NAMES:
        table = torch.from_numpy(np.ascontiguousarray(getattr(face, name)))
        state[f"face.{name}"] = table.half() if name == "ridge" else table
    path = folder / WEIGHTS_FILE
    with whole_path(path, overwrite=True) as draft:
        save_file(state, draft, {"config": json.dumps(config)})
    return path


def stored_tensors(card: Card) -> dict[str, Tensor]:
    """The network's tensors in float32, without the face table.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    try:
        stored = load_file(card.weights)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{card.weights} cannot be read: {error}") from error
    return {name: value.float() for name, value in stored.items() if name[:5] != "face."}


def load_reenactor(card: Card) -> FaceReenactor:
    """The reenactor of a card, in float32 and ready to run.

    Raises:
        WeightsError: the weights are missing or damaged, or do not fit their configuration.
    """
    try:
        network = FaceReenactor(ReenactorConfig(**card.config), card.face_table())
        network.load_state_dict(stored_tensors(card))
    except (RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"{card.weights} does not fit its configuration: {error}") from error
    return network.eval()
