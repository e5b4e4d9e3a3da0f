"""`CodedPicture`: a picture as it travels in a keyframe, and the codecs that it may use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from ..errors import ConfigError

__all__ = ["DEFAULT_CODEC", "MAX_PICTURE", "CodedPicture", "StillCodec"]

MAX_PICTURE = 65535
"""Largest coded picture in bytes."""


class StillCodec(IntEnum):
    """How a picture is coded. A number never changes its meaning."""

    AV1 = 1
    """Low-overhead OBU stream (AV1 specification, 5.2), 8 or 10 bits."""
    WEBP = 2
    """A simple lossy WebP file (RFC 9649, 2.5); for encoders that lack SVT-AV1."""
    AV1_AFTER = 3
    """One more frame of the AV1 stream that a picture of codec `AV1` begins. It can be decoded
    only together with that picture.
    """


DEFAULT_CODEC = StillCodec.AV1


@dataclass(frozen=True, slots=True)
class CodedPicture:
    """A coded picture.

    Attributes:
        codec: how it is coded.
        quality: 0..255 on the codec's own scale (CRF, quality); for information.
        data: the codec's bytes, at most `MAX_PICTURE`.

    Raises:
        ConfigError: a value out of range.
    """

    codec: StillCodec
    quality: int
    data: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.quality <= 255 or not 0 < len(self.data) <= MAX_PICTURE:
            raise ConfigError(
                f"a picture of {len(self.data)} bytes and quality {self.quality}; "
                f"1 to {MAX_PICTURE} bytes and a quality of 0 to 255 can be sent"
            )
