"""`BaseAlone`: takes the place of the fusion network if its weights are not installed."""

from __future__ import annotations

import numpy as np

from .protocol import Array, Frame

__all__ = ["BaseAlone"]


class BaseAlone:
    """Shows the base layer as it is.

    The base layer shows the real frames, only coarsely. So it can be shown without the network, and
    nothing in it is made up.
    """

    def fuse(
        self, generated: Frame, base: Frame, points: Array, *, age: int = 0, trust: float = 1.0
    ) -> Frame:
        """See `Fuser.fuse`: the base layer, mixed with the generated picture by `trust` alone."""
        if trust >= 1:
            return base
        mixed = (1 - trust) * generated.astype(np.float32) + trust * base.astype(np.float32)
        return np.rint(mixed).astype(np.uint8)
