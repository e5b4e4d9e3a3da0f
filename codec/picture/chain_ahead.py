"""A chain of frames that are known beforehand, and the still that it follows.

In a call, a chain is coded frame by frame (`chain.py`). Where the frames are known, SVT-AV1 may
look ahead: it codes a frame that many others are predicted from finely and early, and those between
it and the frames before with few bytes. At equal bytes such a chain comes 1 to 2.5 dB nearer to the
video (docs/rate.md). It is decoded like any other chain: each of its parts shows one frame, and may
carry frames that are shown later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import av

from .coded_picture import CodedPicture, StillCodec
from .coders import CODERS, encode_all, open_encoder

__all__ = ["BEST_CRF", "STEPS", "WORST_CRF", "code_ahead"]

BEST_CRF, WORST_CRF = 1, 70
"""Range of the CRF of such a chain. Above 63, SVT-AV1 makes only those frames coarser that others
are predicted from."""
STEPS = 3
"""Steps in a quarter of CRF, which changes the bytes by 2 %."""
_BIAS = 2  # how much finer SVT-AV1 codes what is dark, in percent: about 0.8 % more bytes
_CODER = replace(
    CODERS[StillCodec.AV1],
    options={
        "preset": "4",
        "svtav1-params": "lp=1:keyint=-1:pred-struct=2:hierarchical-levels=5:"
        "enable-tf=1:scd=0:scm=0",
    },
)


def code_ahead(
    frames: Sequence[av.VideoFrame], crf: float, finer: int = 0
) -> tuple[CodedPicture, list[bytes]]:
    """Code a still and the chain that follows it.

    Args:
        frames: the still and the frames of the chain, at least one, as `to_frame` makes them, all
            of the same size.
        crf: quality of both, in quarters, from `BEST_CRF` to `WORST_CRF`.
        finer: 0 to `STEPS` - 1, steps between this CRF and the next quarter.

    Returns:
        The still, and what `ChainDecoder` takes for each frame after it.

    Raises:
        MediaError: the encoder refuses.
        UnsupportedError: PyAV was built without the encoder.
    """
    coder = _CODER
    if finer:
        more = f"{_CODER.options['svtav1-params']}:luminance-qp-bias={_BIAS * finer}"
        coder = replace(_CODER, options={**_CODER.options, "svtav1-params": more})
    still, *chain = encode_all(coder, open_encoder(coder, frames[0], crf), frames)
    return CodedPicture(StillCodec.AV1, min(math.ceil(crf), _CODER.worst), still), chain
