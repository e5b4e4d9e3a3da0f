"""`BaseAlone`: what stands in for the fusion network where its weights are not there."""

from __future__ import annotations

import numpy as np

from .protocol import Array, Frame

__all__ = ["BaseAlone"]


class BaseAlone:
    """Shows the base layer as it is.

    A sender adds a base layer only where it comes close to the truth (docs/rate.md). So without the
    network it is shown by itself, and nothing of it can be wrong.
    """

    def fuse(
        self, generated: Frame, base: Frame, points: Array, *, age: int = 0, trust: float = 1.0
    ) -> Frame:
        """See `Fuser.fuse`: the base layer, mixed with the generated picture by `trust` alone."""
        if trust >= 1:
            return base
        mixed = (1 - trust) * generated.astype(np.float32) + trust * base.astype(np.float32)
        return np.rint(mixed).astype(np.uint8)
