"""The weights of a geometry predictor on disk, beside those of the generators."""

from __future__ import annotations

from pathlib import Path

from ..weights import geometry_card
from ..weights.network_file import load_network, save_network
from ..weights.runtime_graphs import save_graphs
from .export import PART, mouth_graph
from .mouth import MouthConfig, MouthNet

__all__ = ["load_mouth", "save_mouth", "save_mouth_graph"]


def save_mouth(network: MouthNet, folder: Path) -> Path:
    """Write `model.safetensors` in FP16 to a folder; returns its path."""
    return save_network(network, network.config.to_dict(), folder)


def load_mouth(folder: Path) -> MouthNet:
    """Read what `save_mouth` wrote. Raises `WeightsError` for anything else."""
    return load_network(
        folder, lambda config: MouthNet(MouthConfig.from_dict(config)), "a mouth predictor"
    )


def save_mouth_graph(folder: Path) -> Path:
    """Write the graph for OpenVINO beside the weights in a folder; returns its path.

    Raises:
        WeightsError: the folder holds no mouth predictor.
    """
    return save_graphs(geometry_card(folder), {PART: mouth_graph(load_mouth(folder))})
