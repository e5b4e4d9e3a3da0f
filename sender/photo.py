"""`Portrait`: a still picture of a person that is shown in place of the camera's pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError, MediaError, MissingExtraError
from ..codec.stream import MAX_CONSENT, is_consent

__all__ = ["MIN_SIDE", "Portrait", "read_portrait"]

Frame = npt.NDArray[np.uint8]

MIN_SIDE = 64
"""Pixels on the shorter side of a portrait, at least."""
_MOST_BYTES = 200_000_000
_MOST_PIXELS = 100_000_000  # three times 8K
_BACKGROUND = 128  # grey behind transparent pixels


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture of one person from the front, and whose consent there is to show it.

    Attributes:
        picture: uint8 RGB `[H, W, 3]`, at least 64 pixels high and wide.
        consent: who agreed to it and when, as "Ada Lovelace, 2026-11-29": one line of at most 200
            bytes of UTF-8. It travels with the stream. None: the portrait shows the very person
            before the camera.
        name: of the file, for sentences.

    Raises:
        ConfigError: not such a picture, or not such a line.
        MediaError: the picture is too small.
    """

    picture: Frame
    consent: str | None = None
    name: str = "the portrait"

    def __post_init__(self) -> None:
        shape, kind = self.picture.shape, self.picture.dtype
        if len(shape) != 3 or shape[2] != 3 or kind != np.uint8:
            raise ConfigError(f"a portrait is uint8 RGB [H, W, 3], not {kind} {list(shape)}")
        if min(shape[:2]) < MIN_SIDE:
            raise MediaError(
                f"{self.name} has {shape[1]}x{shape[0]} pixels; a portrait needs at least "
                f"{MIN_SIDE}x{MIN_SIDE}, and looks good from 256x256 on"
            )
        if self.consent is not None and not is_consent(self.consent):
            raise ConfigError(
                'a consent is one line that says who agreed and when, as "Ada Lovelace, '
                f'2026-11-29", of at most {MAX_CONSENT} bytes'
            )


def read_portrait(path: Path, consent: str | None = None) -> Portrait:
    """Read a picture file: JPEG, PNG, WebP, AVIF, TIFF and others that OpenCV reads.

    It is turned as its EXIF says. 16 bits, grey and CMYK become 8-bit RGB, and what is transparent
    becomes grey.

    Args:
        path: the file.
        consent: see `Portrait`.

    Raises:
        MediaError: the file is no picture, or too small or too large.
        ConfigError: the consent is not one line.
        MissingExtraError: OpenCV is not installed.
        OSError: the file cannot be read.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError("reading a portrait", "encode") from error
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise MediaError(f"{path.name} has {size} bytes: that is no portrait")
    data = np.frombuffer(path.read_bytes(), np.uint8)
    colour = _decoded(data, cv2.IMREAD_COLOR)
    if colour is None:
        raise MediaError(
            f"{path.name} cannot be read as a picture: give a JPEG, PNG or WebP file (a frame of "
            "a video must be saved as one first)"
        )
    if colour.shape[0] * colour.shape[1] > _MOST_PIXELS:
        raise MediaError(
            f"{path.name} has {colour.shape[1]}x{colour.shape[0]} pixels: make it smaller, a "
            "thousand pixels across are enough"
        )
    picture = np.ascontiguousarray(colour[..., ::-1])
    whole = _decoded(data, cv2.IMREAD_UNCHANGED)
    if whole is not None and whole.ndim == 3 and whole.shape[2] == 4:
        picture = _opaque(picture, whole[..., 3])
    return Portrait(picture, consent, path.name)


def _decoded(data: Frame, how: int) -> npt.NDArray[np.generic] | None:
    import cv2

    try:
        return cv2.imdecode(data, how) if len(data) else None
    except cv2.error:
        return None


def _opaque(picture: Frame, alpha: npt.NDArray[np.generic]) -> Frame:
    """The picture before grey. A picture that EXIF has turned keeps its pixels as they are, since
    the transparency is not turned with it.
    """
    if alpha.shape != picture.shape[:2] or alpha.dtype not in (np.uint8, np.uint16):
        return picture
    share = alpha[..., None].astype(np.float32) / (255 if alpha.dtype == np.uint8 else 65535)
    mixed = share * picture + (1 - share) * _BACKGROUND
    return np.asarray(np.round(mixed), np.uint8)
