"""`fit_picture`: the best picture within a number of bytes, as a still or after another picture.

The search rests after each coding (`Steps`), so that a call can take one coding a frame.
"""

from __future__ import annotations

import math

import av
import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MediaError
from .after import Anchor
from .coded_picture import DEFAULT_CODEC, MAX_PICTURE, CodedPicture, StillCodec
from .coders import CODERS, decode, encode, to_frame, to_rgb
from .level_search import LOG_GROWTH, best_level
from .steps import Steps

__all__ = ["fit_picture"]

_USUAL_CRF, _USUAL_BYTES = 52.0, 600.0  # of a face of 256x256: where the search begins
_USUAL_AFTER = 1.6  # bytes of a still over those of a picture after another, at one quality
_CLEARLY = 1.25
_QUARTERS = 4  # levels to a step of CRF


def fit_picture(
    rgb: npt.NDArray[np.uint8],
    max_bytes: int,
    *,
    codec: StillCodec = DEFAULT_CODEC,
    smallest: bool = False,
    after: Anchor | None = None,
) -> Steps[CodedPicture]:
    """What `encode_picture` does with `max_bytes`, coding by coding.

    Raises:
        ConfigError, MediaError, UnsupportedError: as `encode_picture`, while it runs.
    """
    frame = to_frame(rgb, CODERS[codec].pixels)
    limit = max(1, min(max_bytes, MAX_PICTURE))
    if after is None:
        picture = yield from _fit_still(codec, frame, limit)
    else:
        picture = yield from _fit_either(rgb, frame, limit, after)
    if len(picture.data) > limit and not smallest:
        raise ConfigError(
            f"the picture does not fit {max_bytes} bytes; at its worst {picture.codec.name} needs "
            f"{len(picture.data)}"
        )
    return picture


def _fit_either(
    rgb: npt.NDArray[np.uint8], frame: av.VideoFrame, limit: int, anchor: Anchor
) -> Steps[CodedPicture]:
    """The better of a still and a picture after the anchor; a still where neither fits."""
    if anchor.size != (frame.width, frame.height):
        raise ConfigError("a picture can only be coded after one of its own size")
    later = yield from _fit_after(anchor, frame, limit)
    if later is not None:
        same = encode(CODERS[StillCodec.AV1], [frame], later.quality)
        yield
        if len(same) > _CLEARLY * limit:  # then no still that fits is as good
            return later
    still = yield from _fit_still(StillCodec.AV1, frame, limit)
    if later is None:
        return still
    return _closer(rgb, still, later, anchor) if len(still.data) <= limit else later


def _fit_still(codec: StillCodec, frame: av.VideoFrame, limit: int) -> Steps[CodedPicture]:
    """The best still that fits; where none does, the worst."""
    coder = CODERS[codec]
    count = abs(coder.best - coder.worst)
    qualities: list[float] = list(np.linspace(coder.worst, coder.best, count + 1))
    first = count // 2
    if codec is StillCodec.AV1:
        qualities = list(np.linspace(coder.worst, coder.best, _QUARTERS * count + 1))
        first = round(_QUARTERS * (coder.worst - _usual_crf(limit, frame)))

    def code(level: int) -> bytes:
        quality = float(qualities[level])
        try:
            return encode(coder, [frame], quality)
        except MediaError:  # a library from before the quarters
            if quality.is_integer():
                raise
            return encode(coder, [frame], math.ceil(quality))

    level, data = yield from best_level(code, len(qualities), limit, first)
    return CodedPicture(codec, math.ceil(qualities[level]), data)


def _fit_after(anchor: Anchor, frame: av.VideoFrame, limit: int) -> Steps[CodedPicture | None]:
    """The best picture after the anchor that fits, if any does."""
    offsets = range(anchor.WORST, anchor.BEST - 1, -1)
    first = offsets.index(anchor.offset(_usual_crf(_USUAL_AFTER * limit, frame)))
    level, data = yield from best_level(
        lambda level: anchor.code(frame, offsets[level]), len(offsets), limit, first
    )
    if len(data) > limit:
        return None
    return CodedPicture(StillCodec.AV1_AFTER, anchor.quality(offsets[level]), data)


def _usual_crf(size: float, frame: av.VideoFrame) -> float:
    """The CRF at which a face in a frame of these dimensions usually takes so many bytes."""
    usual = _USUAL_BYTES * frame.width * frame.height / 65536
    return _USUAL_CRF - math.log(size / usual) / (_QUARTERS * LOG_GROWTH)


def _closer(
    rgb: npt.NDArray[np.uint8], still: CodedPicture, later: CodedPicture, anchor: Anchor
) -> CodedPicture:
    """Whichever decodes to what comes closer to the picture."""
    coder = CODERS[StillCodec.AV1]

    def error(*data: bytes) -> int:
        return int(((to_rgb(decode(coder, data)).astype(np.int64) - rgb) ** 2).sum())

    return still if error(still.data) <= error(anchor.picture.data, later.data) else later
