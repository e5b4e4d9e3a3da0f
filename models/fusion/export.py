"""Converts a fusion network to an OpenVINO graph, which runs without torch."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..avfr.export import keep_exact, to_openvino
from ..face.mesh import POINTS
from .network import Fusion

__all__ = ["PART", "difference", "fusion_graph"]

PART = "fuse"
"""Name of the graph in `runtime.zip`."""
_COORDINATES = re.compile(r"__module\.network\.drawing/")
_INPUTS = ("made", "base", "points", "age", "trust")


class _Whole(nn.Module):
    """The network, with the drawing of landmarks before it and the range of pictures after it."""

    def __init__(self, network: Fusion) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, made: Tensor, base: Tensor, points: Tensor, age: Tensor, trust: Tensor
    ) -> Tensor:
        """Pictures `[1, 3, H, W]`, landmarks `[1, P, 2]`, age and trust `[1]` → a picture."""
        fused = self.network(made, base, self.network.draw(points), age)
        mixed: Tensor = made + trust.reshape(-1, 1, 1, 1) * (fused - made)
        return mixed.clamp(0, 1)


def fusion_graph(network: Fusion) -> Any:
    """The network as `openvino.Model`.

    Inputs, all float32: `made` and `base` `[1, 3, size, size]` on [0, 1], `points` `[1, P, 2]` on
    [-1, 1], `age` `[1]` in frames, and `trust` `[1]`, from 0 (the generated picture alone) to 1.
    Output: `fused` `[1, 3, size, size]` on [0, 1].
    """
    import openvino as ov

    example = tuple(_examples(network, 0).values())
    converted = to_openvino(_Whole(network), example)
    for port, name, value in zip(converted.inputs, _INPUTS, example, strict=True):
        port.get_tensor().set_names({name})
        port.get_node().set_friendly_name(name)
        port.get_node().set_partial_shape(ov.PartialShape(list(value.shape)))
    converted.outputs[0].get_tensor().set_names({"fused"})
    converted.validate_nodes_and_infer_types()
    return keep_exact(converted, _COORDINATES)


def difference(network: Fusion, graph: Any, seed: int = 1) -> float:
    """The largest difference between torch and a graph in float32, on random pictures on [0, 1]."""
    import openvino as ov

    inputs = _examples(network, seed)
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({name: value.numpy() for name, value in inputs.items()})["fused"]
    with torch.no_grad():
        exact = _Whole(network.eval())(*inputs.values())
    return float(np.abs(found - exact.numpy()).max())


def _examples(network: Fusion, seed: int) -> dict[str, Tensor]:
    rng, side = torch.Generator().manual_seed(seed), network.config.size
    pictures = [torch.rand(1, 3, side, side, generator=rng) for _ in range(2)]
    points = torch.rand(1, len(POINTS), 2, generator=rng) - 0.5
    values = (*pictures, points, torch.tensor([3.0]), torch.tensor([0.75]))
    return dict(zip(_INPUTS, values, strict=True))
