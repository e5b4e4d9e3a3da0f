"""An identity (`codec.identity`) put onto the weights that it belongs to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from ...codec.errors import WeightsError
from ...codec.identity import Identity
from .store import Card

__all__ = ["DECODER", "changed_tensors", "check_identity"]

DECODER = tuple(f"generator.{part}." for part in ("enter", "fuse", "up", "blocks", "head"))
"""How the names of the tensors begin that an identity may change: the decoder's, which run once a
frame. Features of a keyframe stay as they are, whatever identity comes later."""


def check_identity(card: Card, identity: Identity) -> None:
    """Raise `WeightsError` where an identity was made for other weights."""
    if identity.weights_sha256 != card.sha256:
        raise WeightsError(
            f"the identity was made for {identity.model} with weights "
            f"{identity.weights_sha256.hex()[:12]}…, not for {card.name} with "
            f"{card.sha256.hex()[:12]}…: make it again with `facewire enroll`, or use the network "
            "that it was made for"
        )


def changed_tensors(card: Card, identity: Identity) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors that an identity changes, in float32, rounded to FP16: all backends run these.

    Raises:
        WeightsError: made for other weights; a tensor that is not there, is no part of the
            decoder, or has another shape.
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
