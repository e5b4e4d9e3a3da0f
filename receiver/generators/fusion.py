"""`Fusion`: makes one picture of a generated one and one of the base layer, on OpenVINO.

It is a graph of its own, which runs after the generator's and needs no torch.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from ...codec.errors import ConfigError
from ...models.face.mesh import POINTS
from ...models.weights import fusion_card
from .compiled import compiled
from .precision import capabilities
from .protocol import Array, Frame, from_picture, to_picture

if TYPE_CHECKING:
    from ...models.weights import Card

__all__ = ["OLDEST", "Fusion"]

OLDEST = 16
"""Frames: a base that is older counts as this old."""
_PART = "fuse"


class Fusion:
    """The fusion network.

    Args:
        card: the card of the network; None for the one that facewire brings.
        threads: CPU threads; None lets OpenVINO choose.
        parallel: how many threads may call `fuse` at the same time. With more than 1, each picture
            is made by one CPU thread, and `threads` is not used.

    Raises:
        WeightsError: the network or its exported graph is missing or damaged.
    """

    def __init__(
        self, card: Card | None = None, threads: int | None = None, *, parallel: int = 1
    ) -> None:
        card = card or fusion_card()
        settings: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if "BF16" in capabilities() else "f32",
        }
        if parallel > 1:
            settings |= {"NUM_STREAMS": parallel, "INFERENCE_NUM_THREADS": parallel}
        elif threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        self._size = int(card.config["size"])
        graph = compiled(card, _PART, settings)
        self._requests: SimpleQueue[Any] = SimpleQueue()  # those that are free
        for _ in range(parallel):
            self._requests.put(graph.create_infer_request())

    def fuse(
        self,
        generated: Frame,
        base: Frame | None,
        points: Array,
        *,
        age: int = 0,
        trust: float = 1.0,
    ) -> Frame:
        """Fuse a frame.

        Args:
            generated: what the generator made, uint8 RGB `[256, 256, 3]`.
            base: the newest picture of the base layer in the same size; None if there is none.
            points: the landmarks that the generator drew, float32 `[P, 2]` on [-1, 1]
                (`Generator.points`).
            age: frames since the picture of the base was coded.
            trust: how much of the fused picture is shown, from 0 (the generated picture, bit by
                bit) to 1, so that a base can come and go without a jump.

        Returns:
            uint8 RGB `[256, 256, 3]`; without a base, or without trust, `generated` itself.

        Raises:
            ConfigError: a picture or the landmarks have another shape or type, the age is negative,
                or the trust is not between 0 and 1.
        """
        made = from_picture(generated, self._size)
        if points.shape != (len(POINTS), 2):
            raise ConfigError(
                f"the landmarks of a frame are float32 [{len(POINTS)}, 2], not "
                f"{points.dtype} {list(points.shape)}"
            )
        if age < 0 or not 0 <= trust <= 1:
            raise ConfigError(
                f"a base is 0 frames old or more and trusted from 0 to 1, not {age} and {trust}"
            )
        if base is None or trust == 0:
            return generated
        inputs = {
            "made": made,
            "base": from_picture(base, self._size),
            "points": np.ascontiguousarray(points, np.float32)[None],
            "age": np.array([min(age, OLDEST)], np.float32),
            "trust": np.array([trust], np.float32),
        }
        request = self._requests.get()
        try:
            # Memory is shared both ways: inputs outlive the call, and the output is copied here.
            result = request.infer(inputs, share_inputs=True, share_outputs=True)
            return to_picture(result["fused"][0])
        finally:
            self._requests.put(request)
