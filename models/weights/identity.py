"""Applies an identity (`codec.identity`) to the weights that it was made for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from ...codec.errors import WeightsError
from ...codec.identity import Identity
from .store import Card

__all__ = ["DECODER", "changed_tensors", "check_identity"]

DECODER = tuple(f"generator.{part}." for part in ("enter", "fuse", "up", "blocks", "head"))
"""Beginnings of the names of tensors that an identity may change: those of the decoder, which run
once for each frame. So the features of a keyframe stay valid when an identity arrives later."""


def check_identity(card: Card, identity: Identity) -> None:
    """Raise `WeightsError` if an identity was made for other weights."""
    if identity.weights_sha256 != card.sha256:
        raise WeightsError(
            f"the identity was made for {identity.model} with weights "
            f"{identity.weights_sha256.hex()[:12]}…, not for {card.name} with "
            f"{card.sha256.hex()[:12]}…: make a new one with `facewire enroll`, or use the network "
            "that it was made for"
        )


def changed_tensors(card: Card, identity: Identity) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors that an identity changes, by name, with the change applied.

    They are float32, rounded to FP16, so that all backends compute with the same numbers.

    Raises:
        WeightsError: the identity was made for other weights, or names a tensor that does not
            exist, is not part of the decoder, or has another shape.
    """
    check_identity(card, identity)
    tensors: dict[str, npt.NDArray[np.float32]] = {}
    try:
        with safe_open(card.weights, framework="np") as file:
            for name, change in identity.changes.items():
                stored = file.get_tensor(name) if name.startswith(DECODER) else np.zeros(0)
                if stored.shape != change.levels.shape:
                    raise WeightsError(
                        f"the identity changes {name!r} {list(change.levels.shape)}: {card.name} "
                        "has no such tensor in its decoder"
                    )
                changed = stored.astype(np.float32) + change.delta()
                most = np.finfo(np.float16).max
                half = np.clip(changed, -most, most).astype(np.float16)
                tensors[name] = half.astype(np.float32)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"the identity does not fit {card.weights} ({error})") from error
    return tensors
