"""`decode_file`: decodes a `.fwire` file to a video file.

reader → Decoder.take → Pipeline (renders several pictures at once) → _Recording → VideoWriter
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ...codec.errors import ConfigError, StreamError
from ...codec.file.container import Reader
from ...codec.motion.profiles import motion_ticks
from ...codec.packet import Kind
from ...codec.stream import StreamHeader
from ...codec.whole_file import check_output
from ...models.cores import cores
from ...models.mel import SAMPLE_RATE
from ..config import DecoderConfig
from ..decoder import Decoder, Due
from ..outputs import Frame, SoundOutput
from ..statistics import Statistics
from .clock import FileClock
from .pipeline import Pipeline
from .side_by_side import InputFrames, TimedFrames, beside
from .writer import VideoWriter

if TYPE_CHECKING:
    from ..generators.protocol import Generator

__all__ = ["DecodeReport", "decode_file", "file_config"]

_FILE_WAIT_MS = 2000
"""In a file, sound may be up to this far behind its pictures; waiting costs nothing here."""
_FILE_PAUSE_MS = 10_000_000
"""Any pause is believed: records have a checksum, so time stamps are right."""
_FILE_RENDERS = 100_000
"""Nothing is skipped, since nobody waits for the pictures."""
_MOST_PARALLEL = 8
"""Each picture in flight takes memory; beyond so many, the video encoder is the limit anyway."""


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What became of a file.

    Attributes:
        header: of the stream; of the first one if there are several.
        frames: number of pictures written.
        seconds: duration of the video.
        statistics: the decoder's counts.
        damaged: records of the container that were skipped.
        truncated: the file ends in the middle; what came before was decoded.
        joints: long pauses that were left out, and changes to another stream.
    """

    header: StreamHeader
    frames: int
    seconds: float
    statistics: Statistics
    damaged: int
    truncated: bool
    joints: int


def decode_file(
    source: Path,
    target: Path,
    *,
    config: DecoderConfig | None = None,
    side_by_side: TimedFrames | None = None,
    generator: Generator | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    overwrite: bool = False,
) -> DecodeReport:
    """Decode a `.fwire` file to a video file (.mp4, .m4v, .mov, .mkv).

    Args:
        source: the stream.
        target: the video; it appears only when it is complete.
        config: settings; by default `file_config()`.
        side_by_side: pictures with their times in seconds, shown on the left when it is their
            time: `Capture(path).frames()` for a whole video, `sent_squares(Capture(path))` for
            the square of it that was sent.
        generator: takes the place of the one that the stream names; asked for one picture at a
            time, from one thread.
        progress: called with the number of pictures written so far and their expected number
            (None for a pipe), for the first time after the first picture.
        overwrite: replace `target` if it exists.

    Raises:
        OutputExistsError: `target` exists, and `overwrite` is false.
        StreamError: not a facewire file, or no picture in it could be decoded.
        UnsupportedError: the stream needs something that this build does not have.
        WeightsError: the stream's weights are not here.
        MediaError: FFmpeg cannot write such a video.
        ConfigError: a target that is also the source, or that has an unknown ending.
        OSError: a file cannot be read or written (missing, disk full).
    """
    if source.resolve() == target.resolve():
        raise ConfigError(f"{target} is an input: give the output another name")
    check_output(target, overwrite=overwrite, streams=False)
    config = config or file_config()
    if generator is not None:
        config = replace(config, parallel=1)
    decoder = Decoder(config, generator)
    expected = None if progress is None else _count_frames(source)
    told = 0

    def tell(written: int) -> None:
        nonlocal told
        if progress is not None and written > told:
            progress(written, expected)
            told = written

    with contextlib.ExitStack() as stack:
        reader = Reader(stack.enter_context(source.open("rb")))
        recording = stack.enter_context(_Recording(target, side_by_side, overwrite))
        pipeline = stack.enter_context(Pipeline(recording.write, config.parallel))

        def put(items: list[Due], header: StreamHeader | None) -> None:
            if header is None:  # before the first STREAM packet nothing comes out
                return
            for due in items:
                recording.begin(header, due.pts)
                pipeline.put(due, header)

        for packet in reader:
            before = decoder.header  # at a change, what comes out belongs to the old stream
            due = decoder.take(packet)
            put(due, before or decoder.header)
            tell(recording.frames)
        put(decoder.take_rest(), decoder.header)
        pipeline.finish()
        header = recording.finish(source, decoder.header)
        tell(recording.frames)
    return DecodeReport(
        header,
        recording.frames,
        float(recording.clock.end),
        decoder.statistics,
        reader.damaged,
        reader.truncated,
        recording.clock.joints,
    )


def file_config(config: DecoderConfig | None = None, *, badge: bool = True) -> DecoderConfig:
    """Settings for files: the badge is drawn, sound may come late, and no frame is skipped.

    Backend "openvino" renders as many pictures at the same time as there are cores, or as
    `config.threads` says.
    """
    config = config or DecoderConfig()
    parallel = min(config.threads or cores(), _MOST_PARALLEL)
    return replace(
        config,
        badge=badge,
        max_wait_ms=_FILE_WAIT_MS,
        max_pause_ms=_FILE_PAUSE_MS,
        max_renders=_FILE_RENDERS,
        parallel=parallel if config.backend == "openvino" else 1,
    )


def _count_frames(path: Path) -> int | None:
    """Number of frames in the motion of a `.fwire` file; None for a pipe, which is read once."""
    if not path.is_file():
        return None
    frames = 0
    profile = ""
    with path.open("rb") as file:
        for packet in Reader(file):
            try:
                if packet.kind == Kind.STREAM:
                    profile = StreamHeader.from_payload(packet.payload).profile
                elif packet.kind == Kind.MOTION and profile:
                    frames += len(motion_ticks(profile, packet.payload))
            except StreamError:
                continue
    return frames


class _Recording:
    """Writes a video file that begins with the first picture or sound.

    Attributes:
        clock: times in the file.
    """

    def __init__(self, target: Path, original: TimedFrames | None, overwrite: bool) -> None:
        self._target = target
        self._original = original
        self._overwrite = overwrite
        self._stack = contextlib.ExitStack()
        self._writer: VideoWriter | None = None
        self._header: StreamHeader | None = None  # of the first stream
        self._input: InputFrames | None = None
        self._shown: Frame | None = None  # the newest picture
        self._shown_at = -1  # in ticks of the file
        self._pictures_end = Fraction(0)
        self._sound: tuple[SoundOutput, Fraction] | None = None  # the newest piece, and its time
        self.clock = FileClock()

    @property
    def frames(self) -> int:
        """Number of pictures written so far."""
        return self._writer.frames if self._writer else 0

    def begin(self, header: StreamHeader, pts: Fraction) -> None:
        """Create the file, unless that is done. In the main thread, which can catch signals."""
        if self._writer is not None:
            return
        width, height = header.width, header.height
        if self._original is not None:
            constant = header.time_base * header.fps == 1
            tolerance = 1 / (2 * header.fps) if constant else header.time_base
            self._input = InputFrames(self._original, height, tolerance)
            width += self._input.at(pts).shape[1]
        self._header = header
        self._writer = self._stack.enter_context(
            VideoWriter(
                self._target,
                (height, width),
                header.fps,
                header.time_base,
                sound=header.audio is not None,
                portrait=header.portrait,
                performed=header.performed,
                overwrite=self._overwrite,
            )
        )

    def write(self, due: Due, picture: Frame | None, header: StreamHeader) -> None:
        """Write a picture or a piece of sound of a stream."""
        if self._writer is None:
            return
        if isinstance(due, SoundOutput):
            self._write_sound(self._writer)
            duration = Fraction(len(due.pcm), SAMPLE_RATE)
            self._sound = due, self.clock.place(header, due.pts, duration)
            return
        self._shown = self._shown if picture is None else picture
        pts = self.clock.place(header, due.pts, 1 / header.fps)
        # Streams may be slower than their ticks, or follow one of longer ticks.
        tick = self._writer.tick(pts)
        if self._shown is None or tick <= self._shown_at:
            return
        frame = self._shown
        if self._input is not None:
            frame = beside(self._input.at(due.pts), frame)
        self._writer.picture(frame, pts)
        self._shown_at = tick
        self._pictures_end = pts + 1 / header.fps

    def finish(self, source: Path, header: StreamHeader | None) -> StreamHeader:
        """Complete the file; return the header of its first stream.

        Raises:
            StreamError: there was no picture.
        """
        if header is None:
            raise StreamError(f"{source} holds no stream header: there is nothing to decode")
        if self._writer is None or self._header is None or not self._writer.frames:
            raise StreamError(f"{source} holds no picture that can be decoded")
        if self._sound is not None and self._sound[1] < self._pictures_end:
            # The last Opus packet is filled up with silence, which is left out.
            sound, pts = self._sound
            left = math.ceil((self._pictures_end - pts) * SAMPLE_RATE)
            self._sound = replace(sound, pcm=sound.pcm[:left]), pts
        self._write_sound(self._writer)
        self._writer.close()
        return self._header

    def _write_sound(self, writer: VideoWriter) -> None:
        """Write the piece that waits."""
        if self._sound is not None:
            writer.sound(self._sound[0].pcm, self._sound[1])
        self._sound = None

    def __enter__(self) -> _Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Errors reach the writer, which then leaves nothing behind.
        self._stack.__exit__(kind, error, trace)
