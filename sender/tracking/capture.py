"""Video files as frames and sound, both streamed: memory does not grow with the file.

Picture and sound are read through two containers of the same file, so that either may be read
ahead of the other. Time zero is the first frame shown; the sound is padded or cut to begin there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.reformatter import Colorspace, Interpolation

from ...codec.errors import MediaError, NotAVideoError
from ...codec.sound.opus import SAMPLE_RATE
from .timing import Timing, measure_timing

__all__ = ["MAX_SIDE", "SAMPLE_RATE", "Capture", "VideoInfo"]

MAX_SIDE = 1920
"""Longer sides are scaled down while decoding: a face of 256 pixels needs no 8K frames."""
_SLACK = SAMPLE_RATE // 20  # 50 ms: jitter of a container's time stamps below, real gaps above
# The last two: without them FFmpeg's RGB is 1.3 levels too dark.
_EXACT = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# Only what lies on disk: a playlist named .mp4 must not make us open its addresses.
_OPTIONS = {"protocol_whitelist": "file,crypto,data"}

Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file holds.

    Attributes:
        width: pixels as shown: rotation and pixel aspect applied, before any scaling down.
        height: likewise.
        timing: rate, tick, number of frames.
        has_sound: whether there is a sound track.
    """

    width: int
    height: int
    timing: Timing
    has_sound: bool


class Capture:
    """A video file, opened.

    Args:
        path: anything that PyAV reads: any size, rate, pixel format, with or without sound.

    Attributes:
        info: see `VideoInfo`.

    Raises:
        NotAVideoError: no such file, not a video, or sound alone.
        MediaError: a video without frames.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        with self._open() as container:
            stream = _video_stream(container, self._path)
            sound = _sound_stream(container)
            self._aspect = _pixel_aspect(stream)
            timing = measure_timing(container, stream)
        if timing.frames == 0:
            raise MediaError(f"{self._path.name} has a video track without a single frame")
        # A frame alone tells its rotation.
        self._start: Fraction | None = None
        first = next(self._decoded(), None)
        if first is None:
            raise NotAVideoError(f"{self._path.name}: not one frame of its video can be decoded")
        self._start = first[1]
        width, height = _shown_size(first[0], self._aspect)
        self.info = VideoInfo(width, height, timing, sound is not None)

    def frames(self) -> Iterator[tuple[Frame, Fraction]]:
        """Frames in the order they are shown.

        Yields:
            uint8 RGB `[H, W, 3]` (upright, square pixels, longest side at most `MAX_SIDE`;
            alpha dropped, deeper samples rounded to 8 bits), and its time in seconds, the first
            at 0, each later than the one before. Damaged frames are left out.
        """
        last: Fraction | None = None
        step = 1 / self.info.timing.fps
        for frame, time in self._decoded():
            pts = time - (self._start or 0)
            if last is not None and pts <= last:
                pts = last + step / 4  # doubled or reversed stamps: keep the order
            last = pts
            yield _upright(frame, self._aspect), pts

    def sound(self) -> Iterator[Sound]:
        """The sound as mono at 16 kHz, float32 `[n]` on [-1, 1], n of any size.

        The first sample belongs to the first frame's time; gaps are silence. Nothing where the
        file has no sound.
        """
        with self._open() as container:
            stream = _sound_stream(container)
            if stream is None:
                return
            aligner = _Aligner(self._start or Fraction(0))
            for packet in container.demux(stream):
                for frame in _decode(packet):
                    yield from aligner.push(frame)
            yield from aligner.flush()

    def _decoded(self) -> Iterator[tuple[av.VideoFrame, Fraction]]:
        with self._open() as container:
            stream = _video_stream(container, self._path)
            stream.thread_type = "AUTO"
            tick = stream.time_base or Fraction(1, 90_000)
            step = 1 / (stream.guessed_rate or stream.average_rate or Fraction(25))
            time: Fraction | None = None
            for packet in container.demux(stream):
                for frame in _decode(packet):
                    if frame.pts is not None:
                        time = frame.pts * Fraction(tick)
                    else:  # raw streams carry no stamps
                        time = Fraction(0) if time is None else time + step
                    yield frame, time

    def _open(self) -> InputContainer:
        if not self._path.is_file():
            raise NotAVideoError(f"{self._path}: no such file")
        try:
            # Named as a file: in `12:30.mp4` FFmpeg would take `12` for a protocol.
            return av.open(f"file:{self._path}", options=_OPTIONS)
        except PermissionError as error:
            raise NotAVideoError(f"{self._path} may not be read: {error.strerror}") from error
        except (av.error.FFmpegError, ValueError) as error:
            raise NotAVideoError(f"{self._path.name} is not a video that can be read") from error

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Containers are open only while they are read; nothing is left to close."""


def _video_stream(container: InputContainer, path: Path) -> Any:
    attached = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & attached]
    if not streams:
        what = "holds sound but no picture" if container.streams.audio else "is not a video"
        raise NotAVideoError(f"{path.name} {what}")
    best: Any = container.streams.best("video")
    return best if best in streams else streams[0]


def _sound_stream(container: InputContainer) -> Any:
    stream: Any = container.streams.best("audio")
    # An unknown codec, or a header without a rate, is as good as no sound.
    return stream if stream is not None and stream.codec_context is not None else None


def _decode(packet: Any) -> list[Any]:
    """Frames of a packet; a damaged one gives none and the stream goes on."""
    try:
        return list(packet.decode())
    except (av.error.InvalidDataError, av.error.EOFError, av.error.ArgumentError):
        return []


def _pixel_aspect(stream: Any) -> Fraction:
    """Width of a pixel by its height; 1 where none is given or it is absurd."""
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(aspect) if aspect and Fraction(1, 8) <= aspect <= 8 else Fraction(1)


def _shown_size(frame: av.VideoFrame, aspect: Fraction) -> tuple[int, int]:
    """Width and height in square pixels, upright."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if _turns(frame) % 2 else (width, height)


def _turns(frame: av.VideoFrame) -> int:
    """Quarter turns counterclockwise that make the frame upright."""
    return round(frame.rotation / 90) % 4


def _upright(frame: av.VideoFrame, aspect: Fraction) -> Frame:
    width, height = _shown_size(frame, aspect)
    scale = min(1.0, MAX_SIDE / max(width, height))
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    turns = _turns(frame)
    if turns % 2:
        width, height = height, width
    # High definition without a matrix in its header is BT.709 by convention.
    unknown = frame.colorspace in (Colorspace.DEFAULT, 2)
    matrix = Colorspace.ITU709 if unknown and frame.height >= 720 else None
    picture = frame.reformat(
        width, height, "rgb24", src_colorspace=matrix, interpolation=_EXACT
    ).to_ndarray()
    return np.ascontiguousarray(np.rot90(picture, turns), dtype=np.uint8)


class _Aligner:
    """Resamples sound and keeps it on the video's clock."""

    def __init__(self, start: Fraction) -> None:
        self._start = start
        self._given = 0
        self._make()

    def _make(self) -> None:
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)

    def push(self, frame: av.AudioFrame) -> Iterator[Sound]:
        time = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 1)
        frame.pts = None
        try:
            parts = self._resampler.resample(frame)
        except ValueError:  # the track changed its format: begin a new resampler
            yield from self.flush()
            self._make()
            parts = self._resampler.resample(frame)
        pcm = _samples(parts)
        if time is None:
            yield from self._give(pcm)
            return
        # Where the sound should stand now, against what was given: a gap, or too much.
        late = round((time - self._start) * SAMPLE_RATE) - self._given
        if late > (_SLACK if self._given else 0):
            yield from _silence(late)
            self._given += late
        elif late < (-_SLACK if self._given else 0):
            pcm = pcm[min(-late, len(pcm)) :]
        yield from self._give(pcm)

    def flush(self) -> Iterator[Sound]:
        yield from self._give(_samples(self._resampler.resample(None)))

    def _give(self, pcm: Sound) -> Iterator[Sound]:
        if len(pcm):
            self._given += len(pcm)
            yield pcm


def _samples(frames: list[av.AudioFrame]) -> Sound:
    if not frames:
        return np.zeros(0, np.float32)
    pcm = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    finite = np.nan_to_num(pcm, posinf=1.0, neginf=-1.0)
    return np.asarray(finite.clip(-1, 1), np.float32)


def _silence(samples: int) -> Iterator[Sound]:
    """In pieces of at most a second: a stamp far off must not fill the memory."""
    for start in range(0, samples, SAMPLE_RATE):
        yield np.zeros(min(SAMPLE_RATE, samples - start), np.float32)
