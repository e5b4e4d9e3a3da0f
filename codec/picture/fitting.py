"""Pictures that fit a number of bytes: the quality is searched, in as few codings as can be.

The logarithm of the bytes is nearly straight over CRF, so each coding tells where the next should
be: about four in place of the nine of a bisection. A search rests after each coding (`Steps`), so
that a call can take them one a frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import av
import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, MediaError
from .after import Anchor
from .coders import CODERS, Coder, decode, encode, to_frame, to_rgb
from .picture import DEFAULT_CODEC, MAX_PICTURE, CodedPicture, StillCodec
from .steps import Steps

__all__ = ["fit_picture", "soften"]

_NEAR = 0.985  # of the bytes: another quarter of CRF is 1.4 % of them
_SLOPE = 0.0142  # of the bytes' logarithm, a quarter of CRF
_USUAL_CRF, _USUAL_BYTES = 52.0, 600.0  # of a face of 256x256: where the search begins
_USUAL_AFTER = 1.6  # bytes of a still over those of a picture after another, at one quality
_CLEARLY = 1.25
_AIMED = 5  # tries that are aimed; after them the middle is taken


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
    coder = CODERS[codec]
    frame = to_frame(rgb, coder.pixels)
    if after and after.size != (frame.width, frame.height):
        raise ConfigError("a picture can only be coded after one of its own size")
    limit = max(1, min(max_bytes, MAX_PICTURE))
    later = None
    if after:
        later = yield from _fit_after(after, frame, limit)
    if after and later and (yield from _still_is_larger(coder, frame, later, limit)):
        return later
    picture = yield from _fit_still(codec, frame, limit)
    if after and later:
        fits = len(picture.data) <= limit
        picture = _closer(rgb, picture, later, after.picture) if fits else later
    if len(picture.data) > limit and not smallest:
        raise ConfigError(
            f"the picture does not fit {max_bytes} bytes; at its worst {picture.codec.name} needs "
            f"{len(picture.data)}"
        )
    return picture


def soften(rgb: npt.NDArray[np.uint8], by: float) -> npt.NDArray[np.uint8]:
    """Each pixel takes so much of each of its neighbours, in rows and in columns: where the
    coarsest qualities lie so far apart that many bytes are left over, a finer one may fit then.
    """
    soft = rgb.astype(np.float32)
    for axis in (0, 1):
        last = soft.shape[axis] - 1
        before, behind = (
            np.take(soft, np.clip(np.arange(last + 1) + way, 0, last), axis) for way in (-1, 1)
        )
        soft += by * (before + behind - 2 * soft)
    return np.asarray(soft.round(), np.uint8)


def _fit_still(codec: StillCodec, frame: av.VideoFrame, limit: int) -> Steps[CodedPicture]:
    """The best still that fits; where none does, the worst."""
    coder = CODERS[codec]
    quarters = 4 if codec is StillCodec.AV1 else 1
    sign = 1 if coder.best > coder.worst else -1

    def code(step: int) -> bytes:
        try:
            return encode(coder, [frame], coder.worst + sign * step / quarters)
        except MediaError:  # a library from before the quarters
            if step % quarters == 0:
                raise
            return encode(coder, [frame], coder.worst + sign * (step // quarters))

    best = quarters * abs(coder.best - coder.worst)
    guess = best // 2
    if codec is StillCodec.AV1:
        guess = round(4 * (coder.worst - _usual_crf(limit, frame)))
    step, data = yield from _search(code, best, limit, guess)
    return CodedPicture(codec, coder.worst + sign * (step // quarters), data)


def _fit_after(after: Anchor, frame: av.VideoFrame, limit: int) -> Steps[CodedPicture | None]:
    """The best picture after the anchor that fits, if any does."""
    guess = after.WORST - after.offset(_usual_crf(_USUAL_AFTER * limit, frame))
    step, data = yield from _search(
        lambda step: after.code(frame, after.WORST - step), after.WORST - after.BEST, limit, guess
    )
    if len(data) > limit:
        return None
    return CodedPicture(StillCodec.AV1_AFTER, after.quality(after.WORST - step), data)


def _usual_crf(size: float, frame: av.VideoFrame) -> float:
    usual = _USUAL_BYTES * frame.width * frame.height / 65536
    return _USUAL_CRF - math.log(size / usual) / (4 * _SLOPE)


def _still_is_larger(
    coder: Coder, frame: av.VideoFrame, later: CodedPicture, limit: int
) -> Steps[bool]:
    """Whether a still of the same quality takes clearly more: then none that fits is as good."""
    data = encode(coder, [frame], later.quality)
    yield
    return len(data) > _CLEARLY * limit


def _search(
    code: Callable[[int], bytes], best: int, limit: int, guess: int
) -> Steps[tuple[int, bytes]]:
    """From step 0, the worst, to `best`: the last step whose bytes fit, or one before it that
    leaves next to nothing over; where none fits, step 0.
    """
    low, high = -1, best + 1  # the last that fits, the first that does not
    found = b""
    wanted = math.log(limit)
    sizes: dict[int, float] = {}  # logarithms, over the steps
    step = guess
    while high - low > 1:
        step = min(max(step, low + 1), high - 1)
        data = code(step)
        yield
        sizes[step] = math.log(len(data))
        if len(data) <= limit:
            low, found = step, data
            if len(data) >= _NEAR * limit:
                break
        else:
            high = step
            found = data if not step else found
        step = _aim(sizes, low, high, wanted) if len(sizes) < _AIMED else (low + high) // 2
    return max(low, 0), found


def _aim(sizes: dict[int, float], low: int, high: int, wanted: float) -> int:
    """Where the bytes should fit just so: between the bounds, or on from the one that is known."""
    known, slope = low if low in sizes else high, _SLOPE
    if len(sizes) > 1:
        a, b = (low, high) if low in sizes and high in sizes else list(sizes)[-2:]
        slope = max((sizes[b] - sizes[a]) / (b - a), _SLOPE / 4)
    return known + math.floor((wanted - sizes[known]) / slope)


def _closer(
    rgb: npt.NDArray[np.uint8], still: CodedPicture, later: CodedPicture, anchor: CodedPicture
) -> CodedPicture:
    """Whichever decodes to what comes closer to the picture."""
    coder = CODERS[StillCodec.AV1]

    def error(*data: bytes) -> int:
        return int(((to_rgb(decode(coder, data)).astype(np.int64) - rgb) ** 2).sum())

    return still if error(still.data) <= error(anchor.data, later.data) else later
