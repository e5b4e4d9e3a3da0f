"""The weights of a geometry predictor on disk, beside those of the generators."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from ...codec.errors import WeightsError
from ...codec.whole_file import whole_path
from ..weights import geometry_card
from ..weights.runtime_graphs import save_graphs
from ..weights.store import WEIGHTS_FILE
from .export import PART, mouth_graph
from .mouth import MouthConfig, MouthNet

__all__ = ["load_mouth", "save_mouth", "save_mouth_graph"]


def save_mouth(network: MouthNet, folder: Path) -> Path:
    """Write `model.safetensors` in FP16 to a folder; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS_FILE
    tensors = {name: t.half().contiguous() for name, t in network.state_dict().items()}
    with whole_path(path, overwrite=True) as draft:
        save_file(tensors, draft, {"config": json.dumps(network.config.to_dict())})
    return path


def load_mouth(folder: Path) -> MouthNet:
    """Read what `save_mouth` wrote. Raises `WeightsError` for anything else."""
    path = folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="pt") as file:
            config = MouthConfig.from_dict(json.loads((file.metadata() or {})["config"]))
        network = MouthNet(config)
        network.load_state_dict({name: t.float() for name, t in load_file(path).items()})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} does not hold a mouth predictor: {error}") from error
    return network.eval()


def save_mouth_graph(folder: Path) -> Path:
    """Write the graph for OpenVINO beside the weights in a folder; returns its path.

    Raises:
        WeightsError: the folder holds no mouth predictor.
    """
    return save_graphs(geometry_card(folder), {PART: mouth_graph(load_mouth(folder))})
