"""Still pictures: one intra frame of a video codec, or one frame of AV1 after such a still.

AV1 is the default; docs/keyframe-codecs.md holds the measurement that chose it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, StreamError
from .after import Anchor
from .coders import CODERS, decode, encode, to_frame, to_rgb
from .fitting import fit_picture
from .picture import DEFAULT_CODEC, MAX_PICTURE, CodedPicture, StillCodec
from .steps import finish

__all__ = [
    "DEFAULT_CODEC",
    "MAX_PICTURE",
    "Anchor",
    "CodedPicture",
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
) -> CodedPicture:
    """Code a picture, either at a given quality or as well as fits a number of bytes.

    Args:
        rgb: uint8 `[H, W, 3]`, H and W even, 64 pixels or more each, at most 2^20 together.
        max_bytes: search the best quality whose bytes are no more (about four codings).
        quality: on the codec's own scale (AV1: crf, 63 worst to 1 best). With neither, a
            middling one.
        codec: one of `StillCodec`.
        smallest: where nothing fits `max_bytes`, give the smallest still and no error.
        after: with `max_bytes`, code the picture after this still too (about four codings of
            both), and give whichever comes closer to `rgb`: a still, or one of codec `AV1_AFTER`.

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
    if max_bytes is not None:
        return finish(fit_picture(rgb, max_bytes, codec=codec, smallest=smallest, after=after))
    quality = coder.normal if quality is None else quality
    return CodedPicture(codec, quality, encode(coder, [to_frame(rgb, coder.pixels)], quality))


def decode_picture(
    picture: CodedPicture, after: CodedPicture | None = None
) -> npt.NDArray[np.uint8]:
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


def _check_single(picture: CodedPicture) -> None:
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
