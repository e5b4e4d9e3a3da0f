"""Interlaced pictures without their comb.

Television and camcorders record the odd lines of a picture a moment later than the even ones, and
what moves in between gets the edge of a comb.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["without_comb"]

Frame = npt.NDArray[np.uint8]

_STANDS_OUT = 10  # grey levels by which a line differs from both lines beside it, in a comb


def without_comb(picture: Frame) -> Frame:
    """Both fields of an interlaced picture at the time of the first one.

    Args:
        picture: uint8 RGB `[H, W, 3]`, not scaled in height.

    Returns:
        The same, but where an odd line is brighter or darker than both lines beside it, it is their
        mean. What stands still keeps all lines.
    """
    import cv2

    above, below = picture[:-2:2], picture[2::2]
    count = len(below)
    if not count:
        return picture
    above, line = np.ascontiguousarray(above[:count]), picture[1 : 2 * count : 2]
    below, line = np.ascontiguousarray(below), np.ascontiguousarray(line)
    over = cv2.subtract(line, cv2.max(above, below))  # 0 where it is not over
    under = cv2.subtract(cv2.min(above, below), line)
    comb = (cv2.max(over, under) > _STANDS_OUT).any(axis=2, keepdims=True)
    mended = picture.copy()
    mended[1 : 2 * count : 2] = np.where(comb, cv2.addWeighted(above, 0.5, below, 0.5, 0), line)
    return mended
