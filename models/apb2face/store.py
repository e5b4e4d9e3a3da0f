"""The weights of geometry predictors on disk: ours (`mouth`) and the paper's (`paper`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..weights import geometry_card
from ..weights.network_file import load_network, save_network
from ..weights.runtime_graphs import save_graphs
from .export import PART, mouth_graph
from .mouth import NAME, MouthConfig, MouthNet
from .network import GeometryPredictor

__all__ = ["PAPER", "load_mouth", "load_paper", "save_mouth", "save_mouth_graph", "save_paper"]

PAPER = {"name": NAME, "variant": "paper"}
"""Configuration of the paper's predictor, which has no other."""


def save_mouth(network: MouthNet, folder: Path) -> Path:
    """Write `model.safetensors` in FP16 to a folder; returns its path."""
    return save_network(network, network.config.to_dict(), folder)


def load_mouth(folder: Path) -> MouthNet:
    """Read what `save_mouth` wrote. Raises `WeightsError` for anything else."""
    return load_network(
        folder, lambda config: MouthNet(MouthConfig.from_dict(config)), "a mouth predictor"
    )


def save_paper(network: GeometryPredictor, folder: Path) -> Path:
    """Write `model.safetensors` in FP16 to a folder; returns its path."""
    return save_network(network, PAPER, folder)


def load_paper(folder: Path) -> GeometryPredictor:
    """Read what `save_paper` wrote. Raises `WeightsError` for anything else."""
    return load_network(folder, _paper_network, "the paper's geometry predictor")


def _paper_network(config: dict[str, Any]) -> GeometryPredictor:
    if config != PAPER:
        raise ValueError(f"its configuration is {config}")
    return GeometryPredictor()


def save_mouth_graph(folder: Path) -> Path:
    """Write the graph for OpenVINO beside the weights in a folder; returns its path.

    Raises:
        WeightsError: the folder holds no mouth predictor.
    """
    return save_graphs(geometry_card(folder), {PART: mouth_graph(load_mouth(folder))})
