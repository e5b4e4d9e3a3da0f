"""A torch network and its configuration in `model.safetensors`: written and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ...codec.errors import WeightsError
from ...codec.whole_file import whole_path
from .store import WEIGHTS_FILE

__all__ = ["load_network", "save_network"]

N = TypeVar("N", bound=nn.Module)


def save_network(network: nn.Module, config: dict[str, Any], folder: Path) -> Path:
    """Write `model.safetensors` in FP16 to a folder; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / WEIGHTS_FILE
    tensors = {name: t.half().contiguous() for name, t in network.state_dict().items()}
    with whole_path(path, overwrite=True) as draft:
        save_file(tensors, draft, {"config": json.dumps(config)})
    return path


def load_network(folder: Path, make: Callable[[dict[str, Any]], N], what: str) -> N:
    """Read a network, in float32 and ready to use; a face table beside it is left out.

    Args:
        folder: that holds the file.
        make: the network of a configuration; it raises `KeyError`, `TypeError` or `ValueError` for
            one of another kind.
        what: the network is, for the sentence of the error.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    path = folder / WEIGHTS_FILE
    try:
        with safe_open(path, framework="pt") as file:
            config = json.loads((file.metadata() or {})["config"])
        network = make(config)
        stored = load_file(path).items()
        network.load_state_dict({name: t.float() for name, t in stored if name[:5] != "face."})
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} does not hold {what}: {error}") from error
    return network.eval()
