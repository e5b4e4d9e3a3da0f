"""Still pictures: one intra frame of a video codec through PyAV, without any file around it.

AV1 is the default; docs/keyframe-codecs.md holds the measurement that chose it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext

from .colour import rgb_to_yuv420, yuv420_to_rgb
from .errors import ConfigError, MediaError, StreamError, UnsupportedError

__all__ = [
    "DEFAULT_CODEC",
    "MAX_PICTURE",
    "Picture",
    "StillCodec",
    "decode_picture",
    "encode_picture",
]

MAX_PICTURE = 65535
"""Largest coded picture in bytes."""
_MAX_PIXELS = 1 << 20
_MIN_SIDE = 64  # SVT-AV1 takes no less


class StillCodec(IntEnum):
    """Ids on the wire, for ever."""

    AV1 = 1
    """Low-overhead OBU stream (AV1 specification, 5.2), 8 or 10 bits."""
    WEBP = 2
    """A simple lossy WebP file (RFC 9649, 2.5); for encoders that lack SVT-AV1."""


@dataclass(frozen=True, slots=True)
class _Coder:
    """How PyAV runs a codec; `worst` and `best` bound its own scale of quality."""

    encoder: str
    decoder: str
    pixels: str
    worst: int
    best: int
    normal: int
    option: str
    options: dict[str, str]


_CODERS = {
    StillCodec.AV1: _Coder(
        encoder="libsvtav1",
        decoder="libdav1d",
        pixels="yuv420p10le",
        worst=63,
        best=1,
        normal=30,
        option="crf",
        # avif=1 would save four bytes, but codes one picture a process before PyAV 18.
        options={"preset": "4", "svtav1-params": "keyint=1:lp=1"},
    ),
    StillCodec.WEBP: _Coder(
        encoder="libwebp",
        decoder="webp",
        pixels="yuv420p",
        worst=0,
        best=100,
        normal=40,
        option="quality",
        options={"compression_level": "6"},
    ),
}
DEFAULT_CODEC = StillCodec.AV1
_DEPTHS = {"yuv420p": 8, "yuvj420p": 8, "yuv420p10le": 10}


@dataclass(frozen=True, slots=True)
class Picture:
    """A coded picture.

    Attributes:
        codec: how it is coded.
        quality: 0..255 on the codec's own scale (crf, quality); for information.
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


def encode_picture(
    rgb: npt.NDArray[np.uint8],
    *,
    max_bytes: int | None = None,
    quality: int | None = None,
    codec: StillCodec = DEFAULT_CODEC,
    smallest: bool = False,
) -> Picture:
    """Code a picture, either at a given quality or as well as fits a number of bytes.

    Args:
        rgb: uint8 `[H, W, 3]`, H and W even, 64 pixels or more each, at most 2^20 together.
        max_bytes: search the best quality whose bytes are no more (about eight codings).
        quality: on the codec's own scale (AV1: crf, 63 worst to 1 best). With neither, a
            middling one.
        codec: one of `StillCodec`.
        smallest: where nothing fits `max_bytes`, give the smallest there is and no error.

    Raises:
        ConfigError: both `max_bytes` and `quality`, a quality off the scale, or fewer bytes than
            the picture can be coded in.
        MediaError: a picture of another shape or type.
        UnsupportedError: PyAV was built without the encoder.
    """
    _check_picture(rgb)
    coder = _CODERS[codec]
    low, high = sorted((coder.worst, coder.best))
    if quality is not None and (max_bytes is not None or not low <= quality <= high):
        raise ConfigError(
            f"give either max_bytes or a quality from {low} to {high} (best is {coder.best})"
        )
    if max_bytes is None:
        quality = coder.normal if quality is None else quality
        return Picture(codec, quality, _encode(coder, _to_frame(rgb, coder.pixels), quality))
    frame = _to_frame(rgb, coder.pixels)
    try:
        return _search(codec, frame, max_bytes)
    except ConfigError:
        if not smallest:
            raise
        return Picture(codec, coder.worst, _encode(coder, frame, coder.worst))


def decode_picture(picture: Picture) -> npt.NDArray[np.uint8]:
    """Decode to RGB, uint8 `[H, W, 3]`.

    Raises:
        StreamError: the bytes are no such picture, or one of more than 2^20 pixels.
        UnsupportedError: PyAV was built without the decoder, or the picture is not 4:2:0.
    """
    _check_single(picture)
    context = _create(_CODERS[picture.codec].decoder, "r")
    context.options = {"max_pixels": str(_MAX_PIXELS)}
    try:
        frames = context.decode(av.Packet(picture.data)) or context.decode(None)
    except (av.error.FFmpegError, MemoryError) as error:
        raise StreamError(f"a keyframe's picture cannot be decoded: {error}") from error
    if not frames or not isinstance(frames[0], av.VideoFrame):
        raise StreamError("a keyframe's picture decodes to nothing")
    return _to_rgb(frames[0])


def _search(codec: StillCodec, frame: av.VideoFrame, max_bytes: int) -> Picture:
    """Bisect the scale from worst (step 0) to best for the last step that fits."""
    coder = _CODERS[codec]
    limit = min(max_bytes, MAX_PICTURE)
    sign = 1 if coder.best > coder.worst else -1
    fits: Picture | None = None
    low, high = 0, abs(coder.best - coder.worst)
    while low <= high:
        middle = (low + high) // 2
        quality = coder.worst + sign * middle
        data = _encode(coder, frame, quality)
        if len(data) <= limit:
            fits, low = Picture(codec, quality, data), middle + 1
        else:
            high = middle - 1
    if fits is None:
        raise ConfigError(
            f"the picture does not fit {max_bytes} bytes; at its worst {codec.name} needs "
            f"{len(data)}"
        )
    return _refine(fits, coder, frame, limit) if codec is StillCodec.AV1 else fits


def _refine(fits: Picture, coder: _Coder, frame: av.VideoFrame, limit: int) -> Picture:
    """SVT-AV1's CRF goes in quarters, FFmpeg's in whole steps of some six percent of the bytes."""
    better = 0.0
    for step in (0.5, 0.25):
        if fits.quality - better - step < coder.best:
            continue
        try:
            data = _encode(coder, frame, fits.quality - better - step)
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
    if picture.codec == StillCodec.AV1 and sum(kind in (3, 6) for kind in _obus(picture.data)) != 1:
        raise StreamError("a keyframe's picture is not exactly one frame of AV1")


def _obus(data: bytes) -> Iterator[int]:
    """Types of the open bitstream units (AV1, 5.3): 3 and 6 begin a frame."""
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


def _check_picture(rgb: npt.NDArray[np.uint8]) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise MediaError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {list(rgb.shape)}")
    height, width = rgb.shape[:2]
    small = min(height, width) < _MIN_SIDE or height * width > _MAX_PIXELS
    if small or height % 2 or width % 2:
        raise MediaError(
            f"a keyframe of {width}x{height}; sides must be even, {_MIN_SIDE} pixels or more, "
            f"and {_MAX_PIXELS} pixels at most in all"
        )


def _encode(coder: _Coder, frame: av.VideoFrame, quality: float) -> bytes:
    os.environ.setdefault("SVT_LOG", "1")  # else SVT-AV1 writes its banner to stderr; 1: errors
    context = _create(coder.encoder, "w")
    context.height, context.width = frame.height, frame.width
    context.pix_fmt = coder.pixels
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    options = {**coder.options, coder.option: f"{math.ceil(quality)}"}
    if quality % 1:  # only the library itself takes fractions
        options["svtav1-params"] += f":crf={quality:g}"
    context.options = options
    try:
        with _own_priority():
            packets = [*context.encode(frame), *context.encode(None)]
    except av.error.FFmpegError as error:
        raise MediaError(f"{coder.encoder} cannot code the picture: {error}") from error
    return _without_delimiter(b"".join(bytes(packet) for packet in packets), coder)


@contextmanager
def _own_priority() -> Iterator[None]:
    """Give the calling thread its scheduling back.

    Run by root, SVT-AV1 leaves its caller with real-time priority (SCHED_FIFO 99). Every thread
    that the process starts later inherits it, and two that spin for each other stop the machine.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def _create(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    try:
        context = cast(VideoCodecContext, av.CodecContext.create(name, mode))
    except av.codec.codec.UnknownCodecError:
        raise UnsupportedError(
            f"this build of PyAV lacks {name}; another codec for keyframes, or PyAV's own wheel, "
            "would help"
        ) from None
    context.thread_count = 1
    return context


def _without_delimiter(data: bytes, coder: _Coder) -> bytes:
    """AV1's temporal delimiter says nothing in a packet of its own: two bytes less."""
    return data.removeprefix(b"\x12\x00") if coder.encoder == "libsvtav1" else data


def _to_frame(rgb: npt.NDArray[np.uint8], pixels: str) -> av.VideoFrame:
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], pixels)
    frame.color_range = av.video.reformatter.ColorRange.JPEG
    frame.pts = 0
    for plane, samples in zip(frame.planes, rgb_to_yuv420(rgb, _DEPTHS[pixels]), strict=True):
        width = samples.shape[1] * samples.itemsize
        rows = np.zeros((samples.shape[0], plane.line_size), np.uint8)
        rows[:, :width] = np.ascontiguousarray(samples).view(np.uint8)
        plane.update(rows.tobytes())
    return frame


def _to_rgb(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    depth = _DEPTHS.get(frame.format.name)
    if depth is None:
        raise UnsupportedError(
            f"a keyframe's picture has the pixel format {frame.format.name}; 4:2:0 of 8 or 10 bits "
            "is read"
        )
    kind = np.dtype(np.uint8 if depth == 8 else "<u2")
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        used = np.ascontiguousarray(rows[: plane.height, : plane.width * kind.itemsize])
        planes.append(used.view(kind))
    return yuv420_to_rgb(planes[0], planes[1], planes[2], depth)
