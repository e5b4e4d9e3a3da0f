"""The encoders and decoders of pictures: PyAV's codecs, without a file around the data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext

from ..errors import MediaError, StreamError, UnsupportedError
from .coded_picture import StillCodec
from .colour import rgb_to_yuv420, yuv420_to_rgb

__all__ = [
    "CODERS",
    "LAYERS",
    "MAX_PIXELS",
    "Coder",
    "create",
    "decode",
    "encode",
    "encode_all",
    "open_encoder",
    "own_priority",
    "to_frame",
    "to_rgb",
    "without_delimiter",
]


@dataclass(frozen=True, slots=True)
class Coder:
    """How a still codec is run.

    Attributes:
        encoder, decoder: PyAV's names.
        pixels: pixel format that it takes.
        worst, best, normal: ends of the codec's own scale of quality, and a middling quality.
        option: name of the encoder's option for the quality.
        options: the encoder's other options.
    """

    encoder: str
    decoder: str
    pixels: str
    worst: int
    best: int
    normal: int
    option: str
    options: dict[str, str]


LAYERS = 3
"""Layers of AV1's frames after a still, as `_LOW_DELAY` sets them."""
_LOW_DELAY = ":".join(
    [
        "lp=1",
        # One intra frame, then frames in the order in which they come. A single frame takes no
        # more bytes so than as a still, and a second frame does not change those of the first.
        "keyint=-1:pred-struct=1:lookahead=0:enable-tf=0:scd=0:scm=0:hierarchical-levels=2",
        "use-fixed-qindex-offsets=1:key-frame-qindex-offset=0",
    ]
)
CODERS = {
    StillCodec.AV1: Coder(
        encoder="libsvtav1",
        decoder="libdav1d",
        pixels="yuv420p10le",
        worst=63,
        best=1,
        normal=30,
        option="crf",
        options={"preset": "4", "svtav1-params": _LOW_DELAY},
    ),
    StillCodec.WEBP: Coder(
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
MAX_PIXELS = 1 << 20
"""Of a picture, at most."""
_MIN_SIDE = 64  # SVT-AV1 takes no less
_DEPTHS = {"yuv420p": 8, "yuvj420p": 8, "yuv420p10le": 10}


def encode(
    coder: Coder,
    frames: Sequence[av.VideoFrame],
    quality: float,
    offset: int = 0,
    *,
    still: int = 0,
) -> bytes:
    """Code frames, each after the one before it, and return the bytes of the last.

    Args:
        coder: any for a single frame, that of AV1 for several.
        frames: of one size and of the coder's pixel format.
        quality: on the coder's scale; for AV1 in quarters.
        offset: -64 to 63, added to the quantiser index (0 to 255; 4 are a step of CRF) of all
            frames but the first. Above 0 is worse.
        still: the same for the first frame, for AV1.

    Raises:
        MediaError: the encoder refuses.
        UnsupportedError: PyAV was built without the encoder.
    """
    offsets = (offset,) * LAYERS if offset else ()
    context = open_encoder(coder, frames[0], quality, offsets, still)
    return encode_all(coder, context, frames)[-1]


def encode_all(
    coder: Coder, context: VideoCodecContext, frames: Sequence[av.VideoFrame]
) -> list[bytes]:
    """Code frames with an encoder that `open_encoder` has opened for them, and end it.

    Returns:
        A packet for each frame.

    Raises:
        MediaError: the encoder refuses.
    """
    packets = []
    try:
        with own_priority():
            for number, frame in enumerate(frames):
                frame.pts = number
                packets += context.encode(frame)
            packets += context.encode(None)
    except av.error.FFmpegError as error:
        raise MediaError(f"{coder.encoder} cannot code the picture: {error}") from error
    if len(packets) != len(frames):
        raise MediaError(f"{coder.encoder} made {len(packets)} packets of {len(frames)} frames")
    return [without_delimiter(bytes(packet), coder) for packet in packets]


def open_encoder(
    coder: Coder,
    frame: av.VideoFrame,
    quality: float,
    offsets: Sequence[int] = (),
    still: int = 0,
) -> VideoCodecContext:
    """An encoder for frames like this one.

    Args:
        coder: how it is run.
        frame: has the size of all frames.
        quality: on the coder's scale; for AV1 in quarters.
        offsets: for AV1, what is added to the quantiser index of the frames after the first, one
            number for each layer of the hierarchy, from the layer that others are predicted from
            to the layer that none is. Three are the usual hierarchy.
        still: for AV1, what is added to the quantiser index of the first frame.

    Raises:
        UnsupportedError: PyAV was built without the encoder.
    """
    os.environ.setdefault("SVT_LOG", "1")  # 1: errors only; else SVT-AV1 writes a banner to stderr
    context = create(coder.encoder, "w")
    context.height, context.width = frame.height, frame.width
    context.pix_fmt = coder.pixels
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    highest = max(coder.worst, coder.best)
    options = {**coder.options, coder.option: f"{min(math.ceil(quality), highest)}"}
    if quality % 1 or quality > highest:  # FFmpeg's option knows neither, the library's own does
        options["svtav1-params"] += f":crf={quality:g}"
    if offsets:
        options["svtav1-params"] += f":qindex-offsets=[{','.join(map(str, offsets))}]"
    if still:
        options["svtav1-params"] += f":key-frame-qindex-offset={still}"
    if len(offsets) > LAYERS:
        options["svtav1-params"] += f":hierarchical-levels={len(offsets) - 1}"
    context.options = options
    return context


def decode(coder: Coder, data: Sequence[bytes]) -> av.VideoFrame:
    """Inverse of `encode`: the last one of frames that were coded one after the other.

    Raises:
        StreamError: the bytes are not such frames, or the frames have more than 2^20 pixels.
        UnsupportedError: PyAV was built without the decoder.
    """
    context = create(coder.decoder, "r")
    context.options = {"max_pixels": str(MAX_PIXELS)}
    frames: list[av.VideoFrame] = []
    try:
        for each in data:
            frames += context.decode(av.Packet(each))
        if len(frames) < len(data):
            frames += context.decode(None)
    except (av.error.FFmpegError, MemoryError) as error:
        raise StreamError(f"a keyframe's picture cannot be decoded: {error}") from error
    if len(frames) != len(data):
        raise StreamError("a keyframe's picture decodes to nothing")
    if {(frame.width, frame.height) for frame in frames} != {(frames[0].width, frames[0].height)}:
        raise StreamError("a keyframe's picture has another size than the one it was coded after")
    return frames[-1]


def create(name: str, mode: Literal["r", "w"]) -> VideoCodecContext:
    """A codec context that uses one thread.

    Raises:
        UnsupportedError: PyAV was built without the codec.
    """
    try:
        context = cast(VideoCodecContext, av.CodecContext.create(name, mode))
    except av.codec.codec.UnknownCodecError:
        raise UnsupportedError(
            f"this build of PyAV lacks {name}: install PyAV's own wheel, or choose another codec "
            "for keyframes"
        ) from None
    context.thread_count = 1
    return context


def to_frame(rgb: npt.NDArray[np.uint8], pixels: str) -> av.VideoFrame:
    """Turn a picture into a frame.

    Args:
        rgb: uint8 `[H, W, 3]`, H and W even and at least 64, H x W at most 2^20.
        pixels: pixel format of the frame.

    Raises:
        MediaError: the picture has another shape or type.
    """
    _check_picture(rgb)
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], pixels)
    frame.color_range = av.video.reformatter.ColorRange.JPEG
    frame.pts = 0
    for plane, samples in zip(frame.planes, rgb_to_yuv420(rgb, _DEPTHS[pixels]), strict=True):
        width = samples.shape[1] * samples.itemsize
        rows = np.zeros((samples.shape[0], plane.line_size), np.uint8)
        rows[:, :width] = np.ascontiguousarray(samples).view(np.uint8)
        plane.update(rows.tobytes())
    return frame


def to_rgb(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """Inverse of `to_frame`: uint8 RGB `[H, W, 3]`.

    Raises:
        UnsupportedError: the frame is not 4:2:0 with 8 or 10 bits.
    """
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


@contextmanager
def own_priority() -> Iterator[None]:
    """Restore the scheduling of the calling thread at the end of the `with` block.

    If root runs it, SVT-AV1 leaves the calling thread with real-time priority (SCHED_FIFO 99).
    All threads that the process starts later would inherit it, and two of them that wait for each
    other in a busy loop stop the machine.
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


def without_delimiter(data: bytes, coder: Coder) -> bytes:
    """Leave out AV1's temporal delimiter, two bytes that tell a separate packet nothing."""
    return data.removeprefix(b"\x12\x00") if coder.encoder == "libsvtav1" else data


def _check_picture(rgb: npt.NDArray[np.uint8]) -> None:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise MediaError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {list(rgb.shape)}")
    height, width = rgb.shape[:2]
    small = min(height, width) < _MIN_SIDE or height * width > MAX_PIXELS
    if small or height % 2 or width % 2:
        raise MediaError(
            f"a keyframe of {width}x{height}; sides must be even, {_MIN_SIDE} pixels or more, "
            f"and {MAX_PIXELS} pixels at most in all"
        )
