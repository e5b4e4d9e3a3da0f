"""The chin follows the lower lip, where only the lips are known.

Its shares are measured in 60 clips of `train`: how far each point goes when the lip goes by 1 while
the mouth opens, in head coordinates (regression through the origin).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .mesh import POINTS

__all__ = ["with_jaw"]

Array = npt.NDArray[np.float32]

_AT = {index: at for at, index in enumerate(POINTS)}
_LIP = np.array([_AT[index] for index in (84, 17, 314)])
_SHARES = {152: 0.87, 148: 0.84, 377: 0.84, 176: 0.8, 400: 0.8, 149: 0.76, 378: 0.76}
_CHIN = np.array([_AT[index] for index in _SHARES])
_SHARE = np.array(list(_SHARES.values()), np.float32)[:, None]


def with_jaw(before: Array, after: Array) -> Array:
    """Landmarks whose mouth was moved, with the chin moved too.

    Args:
        before: float32 `[P, 2]`.
        after: float32 `[P, 2]`, the same with another mouth.

    Returns:
        float32 `[P, 2]`: `after`, with the points of the chin shifted by a share of how far the
        middle of the lower lip went.
    """
    out = np.array(after, np.float32)
    out[_CHIN] += _SHARE * (after[_LIP] - before[_LIP]).mean(0)
    return out
