"""The generator on torch: a batch of one caller, on a GPU if there is one (extra `[torch]`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from ...codec.errors import ConfigError
from ...codec.motion.frame import MotionFrame
from .batch import BatchGenerator, Request
from .protocol import Array, Frame, Source

if TYPE_CHECKING:
    from ...models.weights import Card
    from ..config import Precision

__all__ = ["TorchGenerator"]

_BF16 = {"auto": None, "bf16": True, "float32": False}


class TorchGenerator:
    """Runs the network in torch.

    Args:
        card: a card of `models.weights`.
        threads: CPU threads; None lets torch choose. The setting holds for the whole process.
        precision: `auto` means bf16 on a GPU that has it, else float32.
        changes: tensors, by name, that replace the stored ones.

    Raises:
        ConfigError: the precision is not available.
        WeightsError: the weights are missing or damaged.
    """

    def __init__(
        self,
        card: Card,
        threads: int | None = None,
        precision: Precision = "auto",
        changes: Mapping[str, Array] | None = None,
    ) -> None:
        if precision not in _BF16:
            raise ConfigError(
                f"the torch backend does not run in {precision}; the openvino backend may"
            )
        if threads:
            torch.set_num_threads(threads)
        self._batch = BatchGenerator(card, 1, bf16=_BF16[precision], changes=changes)

    def set_source(self, rgb: Frame, motion: MotionFrame, points: Array) -> Source:
        """See `Generator.set_source`."""
        return self._batch.set_source(rgb, motion, points)

    def points(self, source: Source, motion: MotionFrame) -> Array:
        """See `Generator.points`."""
        return self._batch.points(source, motion)

    def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
        """See `Generator.render`."""
        (frame,) = self._batch.render([Request(source, motion, mel)])
        if frame is None:  # cannot happen: a frame was asked for
            raise RuntimeError("no frame was rendered")
        return frame
