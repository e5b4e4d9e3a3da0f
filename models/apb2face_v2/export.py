"""Converts both reenactors to OpenVINO graphs, which run without torch.

APB2Face has one part, `frame`. APB2FaceV2 has two: `source` runs once for each keyframe, `frame`
once for each frame, with the output of `source` as its input `features`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..apb2face.features import MFCC, STEPS
from ..apb2face.generator_store import load_reenactor
from ..apb2face.reenactor import NAME as V1
from ..avfr.export import to_openvino
from ..weights import Card
from ..weights.runtime_graphs import load_graph, save_graphs
from .network import Apb2FaceV2
from .store import load_v2

__all__ = ["export_reenactor", "reenactor_graphs", "reenactor_modules", "reenactor_parity"]


class _Source(nn.Module):
    def __init__(self, network: Apb2FaceV2) -> None:
        super().__init__()
        self.reenactor = network.reenactor

    def forward(self, picture: Tensor) -> Tensor:
        return self.reenactor.encode(picture)


class _Frame(nn.Module):
    def __init__(self, network: Apb2FaceV2) -> None:
        super().__init__()
        self.fuser, self.reenactor = network.fuser, network.reenactor

    def forward(self, features: Tensor, sound: Tensor, pose: Tensor, blink: Tensor) -> Tensor:
        made: Tensor = self.reenactor(features, self.fuser(sound, pose, blink))
        return made


@dataclass(frozen=True)
class _Part:
    module: nn.Module
    inputs: dict[str, Tensor]
    output: str


def reenactor_modules(card: Card) -> dict[str, tuple[nn.Module, tuple[str, ...]]]:
    """The parts of a reenactor in torch, by name: each with the names of its inputs, in order.

    Raises:
        WeightsError: the weights are missing or damaged, or do not fit their configuration.
    """
    return {name: (part.module, tuple(part.inputs)) for name, part in _parts(card).items()}


def _parts(card: Card, seed: int = 0) -> dict[str, _Part]:
    rng = torch.Generator().manual_seed(seed)
    size = int(card.config["size"])

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=rng)

    if card.config["name"] == V1:
        drawing = (uniform(1, 1, size, size) > 0.95).float()
        return {"frame": _Part(load_reenactor(card), {"drawing": drawing}, "frame")}
    network = load_v2(card)
    source, picture = _Source(network), uniform(1, 3, size, size)
    with torch.inference_mode():
        features = source(picture).clone()
    driven = {
        "features": torch.from_numpy(features.numpy()),
        "sound": uniform(1, 1, STEPS, MFCC) - 0.5,
        "pose": uniform(1, 3) - 0.5,
        "blink": uniform(1, 2) / 2,
    }
    return {
        "source": _Part(source, {"picture": picture}, "features"),
        "frame": _Part(_Frame(network), driven, "frame"),
    }


def reenactor_graphs(card: Card) -> dict[str, Any]:
    """All parts by name as `openvino.Model`, with named inputs and outputs and fixed shapes."""
    import openvino as ov

    graphs = {}
    for name, part in _parts(card).items():
        example = tuple(part.inputs.values())
        converted = to_openvino(part.module, example)
        for port, (given, value) in zip(converted.inputs, part.inputs.items(), strict=True):
            port.get_tensor().set_names({given})
            port.get_node().set_friendly_name(given)
            port.get_node().set_partial_shape(ov.PartialShape(list(value.shape)))
        converted.outputs[0].get_tensor().set_names({part.output})
        converted.validate_nodes_and_infer_types()
        graphs[name] = converted
    return graphs


def export_reenactor(card: Card) -> float:
    """Write `runtime.zip` beside the weights; returns the largest difference from torch.

    Raises:
        WeightsError: the weights are missing or damaged, or do not fit their configuration.
    """
    save_graphs(card, reenactor_graphs(card))
    return reenactor_parity(card)


def reenactor_parity(card: Card, seed: int = 1) -> float:
    """Largest difference of a frame on [0, 1] between torch and the exported graph, in float32."""
    import openvino as ov

    part = _parts(card, seed)["frame"]
    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    graph = ov.Core().compile_model(load_graph(card, "frame"), "CPU", settings)
    found = graph({name: value.numpy() for name, value in part.inputs.items()})["frame"]
    with torch.no_grad():
        exact = part.module(*part.inputs.values())
    return float(np.abs(found - exact.numpy()).max())
