"""The weights of reenactors on disk, with what a receiver needs to run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from ...codec.whole_file import whole_path
from ..face.table import FaceTable
from ..weights import Card
from ..weights.network_file import load_network
from ..weights.store import WEIGHTS_FILE
from .reenactor import FaceReenactor, ReenactorConfig

__all__ = ["load_reenactor", "save_generator"]


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


def load_reenactor(card: Card) -> FaceReenactor:
    """The reenactor of a card, in float32 and ready to run.

    Raises:
        WeightsError: the weights are missing or damaged, or are another network's.
    """

    def make(config: dict[str, Any]) -> FaceReenactor:
        return FaceReenactor(ReenactorConfig(**config), card.face_table())

    return load_network(card.folder, make, "an apb2face network")
