"""`fit_picture`: the best picture within a number of bytes, as a still or after another picture.

The search rests after each coding (`Steps`), so that a call can take one coding a frame.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import av
import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MediaError
from .after import Anchor, around
from .coded_picture import DEFAULT_CODEC, MAX_PICTURE, CodedPicture, StillCodec
from .coders import CODERS, decode, encode, to_frame, to_rgb
from .level_search import NEAR, best_level
from .steps import Steps

__all__ = ["fit_picture"]

_USUAL = {63: 141, 58: 305, 48: 660, 28: 2230, 13: 4970, 7: 9220, 3: 19_600, 1: 35_700}
"""Bytes that a face of 256x256 usually takes at a CRF: means of logarithms over 12 clips of
`train`."""
_USUAL_PIXELS = 256 * 256
_FLAT = 1e-3  # of a logarithm, to a step of CRF
_GROWTH = 0.0142  # of that logarithm, from a level to the next, for other codecs
_USUAL_AFTER = 1.6  # bytes of a still over those of a picture after another, at one quality
_ROUGHLY = 0.75  # of the bytes
_CLEARLY = 1.25
_QUARTERS = 4  # levels to a step of CRF
Logs = npt.NDArray[np.float64]


def fit_picture(
    rgb: npt.NDArray[np.uint8],
    max_bytes: int,
    *,
    codec: StillCodec = DEFAULT_CODEC,
    smallest: bool = False,
    after: Anchor | None = None,
    quick: bool = False,
    middle: float | None = None,
) -> Steps[CodedPicture]:
    """What `encode_picture` does with `max_bytes`, coding by coding. Where it must be `quick`, the
    first picture that roughly fills the bytes is taken, and no still is tried if one after the
    anchor fits: about three codings. AV1 stills are coded so that others after them may lie around
    a `middle` (`around`).

    Raises:
        ConfigError, MediaError, UnsupportedError: as `encode_picture`, while it runs.
    """
    frame = to_frame(rgb, CODERS[codec].pixels)
    limit = max(1, min(max_bytes, MAX_PICTURE))
    near = _ROUGHLY if quick else NEAR
    picture = None
    if after is not None and after.size != (frame.width, frame.height):
        raise ConfigError("a picture can only be coded after one of its own size")
    if after is not None and quick:
        picture = yield from _fit_after(after, frame, limit, near)
    elif after is not None:
        picture = yield from _fit_either(rgb, frame, limit, after, middle)
    if picture is None:
        picture = yield from _fit_still(codec, frame, limit, near, middle)
    if len(picture.data) > limit and not smallest:
        raise ConfigError(
            f"the picture does not fit {max_bytes} bytes; at its worst {picture.codec.name} needs "
            f"{len(picture.data)}"
        )
    return picture


def _fit_either(
    rgb: npt.NDArray[np.uint8],
    frame: av.VideoFrame,
    limit: int,
    anchor: Anchor,
    middle: float | None,
) -> Steps[CodedPicture]:
    """The better of a still and a picture after the anchor; a still where neither fits."""
    later = yield from _fit_after(anchor, frame, limit)
    if later is not None:
        same = encode(CODERS[StillCodec.AV1], [frame], later.quality)
        yield
        if len(same) > _CLEARLY * limit:  # then no still that fits is as good
            return later
    still = yield from _fit_still(StillCodec.AV1, frame, limit, NEAR, middle)
    if later is None:
        return still
    return _closer(rgb, still, later, anchor) if len(still.data) <= limit else later


def _fit_still(
    codec: StillCodec, frame: av.VideoFrame, limit: int, near: float, middle: float | None
) -> Steps[CodedPicture]:
    """The best still that fits; where none does, the worst."""
    coder = CODERS[codec]
    count = abs(coder.best - coder.worst)
    qualities: list[float] = list(np.linspace(coder.worst, coder.best, count + 1))
    usual, first = np.linspace(0, _GROWTH * count, count + 1), count // 2
    if codec is StillCodec.AV1:
        qualities = list(np.linspace(coder.worst, coder.best, _QUARTERS * count + 1))
        usual = _usual_logs(qualities, frame)
        first = _nearest(usual, limit)

    def code(level: int) -> bytes:
        quality, still = float(qualities[level]), 0
        if codec is StillCodec.AV1:
            quality, still = around(quality, middle)
        try:
            return encode(coder, [frame], quality, still=still)
        except MediaError:  # a library from before the quarters
            if quality.is_integer():
                raise
            return encode(coder, [frame], math.ceil(quality), still=still)

    level, data = yield from best_level(code, usual, limit, first, near)
    return CodedPicture(codec, math.ceil(qualities[level]), data)


def _fit_after(
    anchor: Anchor, frame: av.VideoFrame, limit: int, near: float = NEAR
) -> Steps[CodedPicture | None]:
    """The best picture after the anchor that fits, if any does."""
    offsets = range(anchor.WORST, anchor.BEST - 1, -1)
    usual = _usual_logs([anchor.crf + offset / _QUARTERS for offset in offsets], frame)
    level, data = yield from best_level(
        lambda level: anchor.code(frame, offsets[level]),
        usual,
        limit,
        _nearest(usual, _USUAL_AFTER * limit),
        near,
    )
    if len(data) > limit:
        return None
    return CodedPicture(StillCodec.AV1_AFTER, anchor.quality(offsets[level]), data)


def _usual_logs(qualities: Sequence[float], frame: av.VideoFrame) -> Logs:
    """Logarithms of the bytes that a face in a frame of these dimensions usually takes at each CRF.
    They grow a little beyond the ends of the scale, too, where the bytes do not.
    """
    crf, known = np.array(sorted(_USUAL.items())).T
    logs = np.log(known * frame.width * frame.height / _USUAL_PIXELS)
    wanted = np.asarray(qualities)
    return np.asarray(np.interp(wanted, crf, logs) - _FLAT * wanted)


def _nearest(usual: Logs, size: float) -> int:
    """The level that usually takes a number of bytes nearest to this one."""
    return int(np.abs(usual - math.log(size)).argmin())


def _closer(
    rgb: npt.NDArray[np.uint8], still: CodedPicture, later: CodedPicture, anchor: Anchor
) -> CodedPicture:
    """Whichever decodes to what comes closer to the picture."""
    coder = CODERS[StillCodec.AV1]

    def error(*data: bytes) -> int:
        return int(((to_rgb(decode(coder, data)).astype(np.int64) - rgb) ** 2).sum())

    return still if error(still.data) <= error(anchor.picture.data, later.data) else later
