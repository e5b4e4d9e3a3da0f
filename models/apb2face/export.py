"""Converts a mouth predictor to an OpenVINO graph, which runs without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..avfr.export import to_openvino
from ..mel import MEL_BANDS
from .mouth import MouthNet
from .sound import STEPS

__all__ = ["PART", "difference", "mouth_graph"]

PART = "mouth"
"""Name of the graph in `runtime.zip`."""


class _Whole(nn.Module):
    """The network, and what it says as a movement, beside the states of its trunk."""

    def __init__(self, network: MouthNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """`[1, STEPS, 80]` → `[1, look-aheads, 40, 2]` and `[1, look-aheads, C]`."""
        states = self.network.states(sound)[:, :, 0]
        made = [head(states[:, n]) for n, head in enumerate(self.network.heads)]
        return self.network.movement(torch.stack(made, 1)), states


def mouth_graph(network: MouthNet) -> Any:
    """The network as `openvino.Model`.

    Input, float32: `sound` `[1, STEPS, 80]`, the log-mel window of a frame less its level. Outputs,
    for each of `LOOKAHEADS`: `movement` `[1, 3, 40, 2]` in head coordinates, and what the trunk has
    heard, `state` `[1, 3, C]`.
    """
    import openvino as ov

    example = _example(0)
    converted = to_openvino(_Whole(network.eval()), (example,))
    port = converted.inputs[0]
    port.get_tensor().set_names({"sound"})
    port.get_node().set_friendly_name("sound")
    port.get_node().set_partial_shape(ov.PartialShape(list(example.shape)))
    for output, name in zip(converted.outputs, ("movement", "state"), strict=True):
        output.get_tensor().set_names({name})
    converted.validate_nodes_and_infer_types()
    return converted


def difference(network: MouthNet, graph: Any, seed: int = 1) -> float:
    """Largest difference of a movement between torch and a graph, on random sound."""
    import openvino as ov

    sound = _example(seed)
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = compiled({"sound": sound.numpy()})["movement"]
    with torch.no_grad():
        exact, _ = _Whole(network.eval())(sound)
    return float(np.abs(found - exact.numpy()).max())


def _example(seed: int) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(1, STEPS, MEL_BANDS, generator=rng) * 0.3
