"""Still pictures: one intra frame of a video codec, or one frame of AV1 after such a still.

AV1 is the default; docs/keyframe-codecs.md holds the measurement that chose it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
import numpy as np
import numpy.typing as npt

from .coders import CODERS, Coder, decode, encode, to_frame, to_rgb
from .errors import ConfigError, MediaError, StreamError
from .inter import Anchor
from .picture import DEFAULT_CODEC, MAX_PICTURE, Picture, StillCodec

__all__ = [
    "DEFAULT_CODEC",
    "MAX_PICTURE",
    "Anchor",
    "Picture",
    "StillCodec",
    "decode_picture",
    "encode_picture",
]


def encode_picture(
    rgb: npt.NDArray[np.uint8],
    *,
    max_bytes: int | None = None,
    quality: int | None = None,
    codec: StillCodec = DEFAULT_CODEC,
    smallest: bool = False,
    after: Anchor | None = None,
) -> Picture:
    """Code a picture, either at a given quality or as well as fits a number of bytes.

    Args:
        rgb: uint8 `[H, W, 3]`, H and W even, 64 pixels or more each, at most 2^20 together.
        max_bytes: search the best quality whose bytes are no more (about eight codings).
        quality: on the codec's own scale (AV1: crf, 63 worst to 1 best). With neither, a
            middling one.
        codec: one of `StillCodec`.
        smallest: where nothing fits `max_bytes`, give the smallest still and no error.
        after: with `max_bytes`, code the picture after this still too (seven codings of both), and
            give whichever comes closer to `rgb`: a still, or a picture of codec `AV1_AFTER`.

    Raises:
        ConfigError: both `max_bytes` and `quality`, a quality off the scale, fewer bytes than
            the picture can be coded in, or `after` where it cannot be.
        MediaError: a picture of another shape or type.
        UnsupportedError: PyAV was built without the encoder.
    """
    if codec is StillCodec.AV1_AFTER or (
        after and (codec is not StillCodec.AV1 or max_bytes is None)
    ):
        raise ConfigError("a picture is coded after another by giving that one and max_bytes")
    coder = CODERS[codec]
    low, high = sorted((coder.worst, coder.best))
    if quality is not None and (max_bytes is not None or not low <= quality <= high):
        raise ConfigError(
            f"give either max_bytes or a quality from {low} to {high} (best is {coder.best})"
        )
    frame = to_frame(rgb, coder.pixels)
    if after and after.size != (frame.width, frame.height):
        raise ConfigError("a picture can only be coded after one of its own size")
    if max_bytes is None:
        quality = coder.normal if quality is None else quality
        return Picture(codec, quality, encode(coder, [frame], quality))
    limit = min(max_bytes, MAX_PICTURE)
    picture = _search_still(codec, frame, limit)
    if after and (later := _search_after(after, frame, limit)):
        fits = len(picture.data) <= limit
        picture = _closer(rgb, picture, later, after.picture) if fits else later
    if len(picture.data) > limit and not smallest:
        raise ConfigError(
            f"the picture does not fit {max_bytes} bytes; at its worst {picture.codec.name} needs "
            f"{len(picture.data)}"
        )
    return picture


def decode_picture(picture: Picture, after: Picture | None = None) -> npt.NDArray[np.uint8]:
    """Decode to RGB, uint8 `[H, W, 3]`.

    Args:
        picture: of any codec.
        after: the still that a picture of codec `AV1_AFTER` was coded after; after another one
            it decodes to something else or not at all. Of no account for stills.

    Raises:
        StreamError: the bytes are no such picture, or one of more than 2^20 pixels; or one that
            needs another picture before it, which was not given or does not fit.
        UnsupportedError: PyAV was built without the decoder, or the picture is not 4:2:0.
    """
    pictures = [picture]
    if picture.codec is StillCodec.AV1_AFTER:
        if after is None or after.codec is not StillCodec.AV1:
            raise StreamError(
                "a picture was coded after another one, an AV1 still that is not there; it cannot "
                "be shown before that one has come"
            )
        pictures = [after, picture]
    for each in pictures:
        _check_single(each)
    return to_rgb(decode(CODERS[pictures[0].codec], [each.data for each in pictures]))


def _search_still(codec: StillCodec, frame: av.VideoFrame, limit: int) -> Picture:
    """The best still that fits; where none does, the worst."""
    coder = CODERS[codec]
    sign = 1 if coder.best > coder.worst else -1

    def code(step: int) -> bytes:
        return encode(coder, [frame], coder.worst + sign * step)

    step, data = _bisect(code, abs(coder.best - coder.worst), limit)
    picture = Picture(codec, coder.worst + sign * step, data)
    refines = codec is StillCodec.AV1 and len(data) <= limit
    return _refine(picture, coder, frame, limit) if refines else picture


def _search_after(after: Anchor, frame: av.VideoFrame, limit: int) -> Picture | None:
    """The best picture after the anchor that fits, if any does."""
    step, data = _bisect(
        lambda step: after.code(frame, after.WORST - step), after.WORST - after.BEST, limit
    )
    if len(data) > limit:
        return None
    return Picture(StillCodec.AV1_AFTER, after.quality(after.WORST - step), data)


def _bisect(code: Callable[[int], bytes], best: int, limit: int) -> tuple[int, bytes]:
    """Bisect from step 0, the worst, to `best` for the last step whose bytes fit; else step 0."""
    fits: tuple[int, bytes] | None = None
    low, high = 0, best
    while low <= high:
        middle = (low + high) // 2
        data = code(middle)
        if len(data) <= limit:
            fits, low = (middle, data), middle + 1
        else:
            high = middle - 1
    return fits or (middle, data)


def _closer(rgb: npt.NDArray[np.uint8], still: Picture, later: Picture, anchor: Picture) -> Picture:
    """Whichever decodes to what comes closer to the picture."""

    def error(picture: Picture) -> int:
        decoded = decode_picture(picture, anchor)
        return int(((decoded.astype(np.int64) - rgb) ** 2).sum())

    return min(still, later, key=error)


def _refine(fits: Picture, coder: Coder, frame: av.VideoFrame, limit: int) -> Picture:
    """SVT-AV1's CRF goes in quarters, FFmpeg's in whole steps of some six percent of the bytes."""
    better = 0.0
    for step in (0.5, 0.25):
        if fits.quality - better - step < coder.best:
            continue
        try:
            data = encode(coder, [frame], fits.quality - better - step)
        except MediaError:  # a library from before the quarters
            break
        if len(fits.data) <= len(data) <= limit:
            better += step
            fits = Picture(fits.codec, fits.quality, data)
    return fits


def _check_single(picture: Picture) -> None:
    """Let no more than one frame reach a decoder, which would return them all at once."""
    if picture.codec == StillCodec.WEBP and picture.data[12:16] != b"VP8 ":
        raise StreamError("a keyframe's picture is no simple lossy WebP file")
    if picture.codec == StillCodec.WEBP:
        return
    kinds = list(_obus(picture.data))
    if sum(kind in (3, 6) for kind in kinds) != 1:
        raise StreamError("a keyframe's picture is not exactly one frame of AV1")
    if picture.codec == StillCodec.AV1_AFTER and 1 in kinds:
        raise StreamError("a picture that comes after another one begins a sequence of its own")


def _obus(data: bytes) -> Iterator[int]:
    """Types of the open bitstream units (AV1, 5.3): 1 begins a sequence, 3 and 6 a frame."""
    at = 0
    while at < len(data):
        head = data[at]
        yield head >> 3 & 15
        at += 2 if head & 4 else 1
        if not head & 2:  # without a size it is the last
            return
        size = 0
        for shift in range(0, 56, 7):
            byte = data[at] if at < len(data) else 0
            at += 1
            size |= (byte & 127) << shift
            if byte < 128:
                break
        at += size
