"""The parts of a reenactor on torch, on a GPU if there is one (extra `[torch]`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...models.apb2face_v2.export import reenactor_modules
from .protocol import Array

if TYPE_CHECKING:
    from ...models.weights import Card

__all__ = ["TorchParts"]


class TorchParts:
    """A reenactor in torch.

    Args:
        card: of the network.
        threads: CPU threads; None lets torch choose. The setting holds for the whole process.

    Raises:
        WeightsError: the weights are missing or damaged.
    """

    def __init__(self, card: Card, threads: int | None = None) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._modules = reenactor_modules(card)

    def part(self, name: str) -> Callable[[Mapping[str, Array]], Array]:
        """A part by its name: it takes its inputs by name and returns its output."""
        module, names = self._modules[name]
        module = module.to(self._device).requires_grad_(False).eval()

        def run(inputs: Mapping[str, Array]) -> Array:
            with torch.inference_mode():
                given = [
                    torch.from_numpy(np.ascontiguousarray(inputs[n])).to(self._device)
                    for n in names
                ]
                made: Array = module(*given).cpu().numpy()
                return made

        return run
