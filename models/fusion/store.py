"""The weights of a fusion network on disk, beside those of the generators."""

from __future__ import annotations

from pathlib import Path

from ..weights import fusion_card
from ..weights.network_file import load_network, save_network
from ..weights.runtime_graphs import save_graphs
from .export import PART, fusion_graph
from .network import Fusion, FusionConfig

__all__ = ["load_fusion", "save_fusion", "save_graph"]


def save_fusion(network: Fusion, folder: Path) -> Path:
    """Write `model.safetensors` in FP16 to a folder; returns its path."""
    return save_network(network, network.config.to_dict(), folder)


def load_fusion(folder: Path) -> Fusion:
    """Read what `save_fusion` wrote. Raises `WeightsError` for anything else."""
    return load_network(
        folder, lambda config: Fusion(FusionConfig.from_dict(config)), "a fusion network"
    )


def save_graph(folder: Path) -> Path:
    """Write the graph for OpenVINO beside the weights in a folder; returns its path.

    Raises:
        WeightsError: the folder holds no fusion network.
    """
    return save_graphs(fusion_card(folder), {PART: fusion_graph(load_fusion(folder))})
