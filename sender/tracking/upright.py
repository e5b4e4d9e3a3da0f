"""A decoded frame as the picture that a viewer sees: upright, square pixels, no comb."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Colorspace, Interpolation

from .interlacing import without_comb
from .tone_mapping import WIDE, ToneMapper

__all__ = ["MAX_SIDE", "Turn", "pixel_aspect", "shown_size", "turn_of", "upright", "wide_samples"]

Frame = npt.NDArray[np.uint8]

MAX_SIDE = 1920
"""Longer sides are scaled down while decoding: a face of 256 pixels needs no 8K frames."""
_SD_HEIGHT, _HD_WIDTH = 576, 1280
# The last two: without them FFmpeg's RGB is 1.3 levels too dark.
_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_SAMPLE = 128  # side of the pictures that a tone mapper is made from

Turn = tuple[bool, bool, bool]
"""Exchange rows and columns, then mirror left and right, then mirror top and bottom."""


def pixel_aspect(stream: Any) -> Fraction:
    """Width of a pixel divided by its height; 1 where none is given or it is absurd."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(aspect) if aspect and Fraction(1, 8) <= aspect <= 8 else Fraction(1)


def shown_size(frame: av.VideoFrame, aspect: Fraction, turn: Turn) -> tuple[int, int]:
    """Width and height in square pixels, upright."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if turn[0] else (width, height)


def upright(frame: av.VideoFrame, aspect: Fraction, turn: Turn, mapper: ToneMapper | None) -> Frame:
    """The picture, uint8 RGB `[H, W, 3]`, its longest side at most `MAX_SIDE`.

    Args:
        frame: as decoded.
        aspect: see `pixel_aspect`.
        turn: what makes it upright, see `turn_of`.
        mapper: for an HDR frame.
    """
    width, height = shown_size(frame, aspect, turn)
    scale = min(1.0, MAX_SIDE / max(width, height))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    swapped, left_right, top_bottom = turn
    if swapped:
        width, height = height, width
    if mapper is not None:
        picture = mapper.apply(_scaled(frame, width, height, WIDE)).to_ndarray()
    else:
        picture = _scaled(frame, width, height, "rgb24").to_ndarray()
    if frame.interlaced_frame and height == frame.height:
        picture = without_comb(np.asarray(picture, np.uint8))
    if swapped:
        picture = picture.transpose(1, 0, 2)
    if left_right:
        picture = picture[:, ::-1]
    if top_bottom:
        picture = picture[::-1]
    return np.ascontiguousarray(picture, dtype=np.uint8)


def wide_samples(frame: av.VideoFrame) -> npt.NDArray[np.uint16]:
    """A frame small and in 16 bits, for `ToneMapper`."""
    return np.asarray(_scaled(frame, _SAMPLE, _SAMPLE, WIDE).to_ndarray(), np.uint16)


def _scaled(frame: av.VideoFrame, width: int, height: int, format_: str) -> av.VideoFrame:
    # By convention, high definition is BT.709 where the file does not say what it is.
    unknown = frame.colorspace in (Colorspace.DEFAULT, 2)
    high = frame.height > _SD_HEIGHT or frame.width >= _HD_WIDTH
    matrix = Colorspace.ITU709 if unknown and high else None
    return frame.reformat(width, height, format_, src_colorspace=matrix, interpolation=_EXACT)


def turn_of(frame: av.VideoFrame) -> Turn:
    """What makes a frame upright, from its display matrix (ISO/IEC 14496-12, 6.2.2).

    Ask only frames that may bring another matrix, as key frames do: PyAV ties the side data that is
    looked at and its frame to each other, so that the frame's memory is held until Python's next
    full collection of garbage.

    The matrix gives the place of a pixel as x' = ax + cy and y' = bx + dy; a rotation has a
    positive determinant, a mirror image a negative one. Other angles than quarter turns are taken
    for the nearest one.
    """
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return False, False, False
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0
