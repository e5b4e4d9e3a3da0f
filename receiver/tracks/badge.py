"""The visible badge of synthetic media: "AI" in a corner, drawn with numpy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError

__all__ = ["draw_badge"]

_LETTERS = (
    "......................",
    "....###......#####....",
    "...#...#.......#......",
    "...#...#.......#......",
    "...#...#.......#......",
    "...#####.......#......",
    "...#...#.......#......",
    "...#...#.......#......",
    "...#...#.....#####....",
    "......................",
)
_INK = np.array([[c == "#" for c in row] for row in _LETTERS], np.bool_)
_SHADE = 0.45
"""Brightness of the picture behind the letters, which are white at 90 %."""


def draw_badge(frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A copy of the frame with the badge in its lower right corner.

    Args:
        frame: uint8 RGB `[H, W, 3]`.

    Returns:
        uint8 `[H, W, 3]`; the badge takes about 4 % of the height. A frame that is too small for
        the badge comes back without it. No decoded video is so small.

    Raises:
        ConfigError: not a uint8 RGB picture.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ConfigError(f"a frame must be uint8 [H, W, 3], not {frame.dtype} {frame.shape}")
    height, width = frame.shape[:2]
    zoom = max(1, height // 256)
    ink = _INK.repeat(zoom, 0).repeat(zoom, 1)
    rows, columns = ink.shape
    margin = 4 * zoom
    marked = frame.copy()
    if rows + margin > height or columns + margin > width:
        return marked
    plate = marked[height - margin - rows : height - margin, width - margin - columns :]
    plate = plate[:, :columns]
    plate[:] = np.where(ink[..., None], 230 + plate * 0.1, plate * _SHADE).astype(np.uint8)
    return marked
