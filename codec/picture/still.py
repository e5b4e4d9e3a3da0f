"""Pictures to bytes and back: stills, and pictures coded after a still.

A still is one intra frame of a video codec. The default is AV1; docs/keyframe-codecs.md shows the
measurements behind this choice.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import ConfigError, StreamError
from .after import Anchor
from .coded_picture import DEFAULT_CODEC, MAX_PICTURE, CodedPicture, StillCodec
from .coders import CODERS, decode, encode, to_frame, to_rgb
from .fitting import fit_picture
from .obus import begins_sequence, count_frames
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
    """Code a picture at a given quality, or as well as possible within a number of bytes.

    Args:
        rgb: uint8 `[H, W, 3]`, H and W even and at least 64, H x W at most 2^20.
        max_bytes: find the best quality that takes no more bytes (about four codings).
        quality: on the codec's own scale (AV1: CRF, 63 worst to 1 best). If neither `max_bytes`
            nor `quality` is given, a middling quality is used.
        codec: one of `StillCodec`, but `AV1_AFTER`.
        smallest: if nothing fits `max_bytes`, return the smallest still instead of raising.
        after: with `max_bytes`, also code the picture after this still (about four codings more),
            and return whichever comes closer to `rgb`: a still, or a picture of codec `AV1_AFTER`.

    Raises:
        ConfigError: both `max_bytes` and `quality` are given, the quality is off the scale, the
            picture does not fit `max_bytes`, or `after` cannot be combined with the rest.
        MediaError: the picture has another shape or type.
        UnsupportedError: PyAV was built without the encoder.
    """
    if codec is StillCodec.AV1_AFTER or (
        after and (codec is not StillCodec.AV1 or max_bytes is None)
    ):
        raise ConfigError(
            "to code a picture after another one, give `after` and `max_bytes` and leave the codec "
            "at AV1"
        )
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
        after: the still after which a picture of codec `AV1_AFTER` was coded. With another still
            the result is another picture, or an error. It is ignored for stills.

    Raises:
        StreamError: the bytes are not such a picture, or it has more than 2^20 pixels, or it was
            coded after a still that is not given or does not fit.
        UnsupportedError: PyAV was built without the decoder, or the picture is not 4:2:0.
    """
    pictures = [picture]
    if picture.codec is StillCodec.AV1_AFTER:
        if after is None or after.codec is not StillCodec.AV1:
            raise StreamError(
                "a picture was coded after another one, an AV1 still, and cannot be decoded "
                "without it"
            )
        pictures = [after, picture]
    for each in pictures:
        _check_single(each)
    return to_rgb(decode(CODERS[pictures[0].codec], [each.data for each in pictures]))


def _check_single(picture: CodedPicture) -> None:
    """Refuse data of several frames: a decoder would decode them all at once."""
    if picture.codec == StillCodec.WEBP and picture.data[12:16] != b"VP8 ":
        raise StreamError("a keyframe's picture is not a simple lossy WebP file")
    if picture.codec == StillCodec.WEBP:
        return
    if count_frames(picture.data) != 1:
        raise StreamError("a keyframe's picture is not exactly one frame of AV1")
    if picture.codec == StillCodec.AV1_AFTER and begins_sequence(picture.data):
        raise StreamError("a picture that was coded after another one begins a sequence of its own")
