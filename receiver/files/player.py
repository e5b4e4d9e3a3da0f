"""`.fwire` file to video file: a thin loop over the container's reader and the `Decoder`."""

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
from ...codec.packet import Kind
from ...codec.stream import StreamHeader
from ...codec.whole_file import check_output
from ...models.mel import SAMPLE_RATE
from ..config import DecoderConfig
from ..decoder import Decoder
from ..outputs import Output, SoundOutput
from ..statistics import Statistics
from .side_by_side import InputFrames, TimedFrames, beside
from .writer import VideoWriter

if TYPE_CHECKING:
    from ..generators.protocol import Generator

__all__ = ["DecodeReport", "decode_file"]

_FILE_WAIT_MS = 2000
"""A file may hold its sound up to this far behind its pictures; waiting costs nothing here."""
_FILE_PAUSE_MS = 10_000_000
"""Any pause is believed: records are guarded by a checksum, so time stamps are right."""
_LATE_START = 1
"""Seconds: a recording that begins later than this was joined in the middle; it is moved to 0."""


@dataclass(frozen=True, slots=True)
class DecodeReport:
    """What became of a file.

    Attributes:
        header: of the stream.
        frames: pictures written.
        statistics: the decoder's counts.
        damaged: records of the container that were skipped.
        truncated: the file ends in the middle; what came before was decoded.
    """

    header: StreamHeader
    frames: int
    statistics: Statistics
    damaged: int
    truncated: bool


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
        target: written atomically: it appears only when whole.
        config: settings; by default those of a file: badge drawn, long waits for sound allowed.
        side_by_side: pictures with their times in seconds, shown to the left when it is their
            time: `Capture(path).frames()` for a whole video, `sent_squares(Capture(path))` for
            the square of it that was sent.
        generator: in place of the one that the stream names.
        progress: called with the motion packets read so far, and how many there are (None
            where the file is cut off and cannot say).
        overwrite: replace `target` if it exists.

    Raises:
        OutputExistsError: `target` exists, and `overwrite` is false.
        StreamError: not a facewire file, or no picture in it could be decoded.
        WeightsError: the stream's weights are not here.
        ConfigError: a target that is also the source, or of an unknown ending.
        OSError: a file cannot be read or written (missing, disk full).
    """
    if source.resolve() == target.resolve():
        raise ConfigError(f"{target} is an input: give the output another name")
    check_output(target, overwrite=overwrite, streams=False)
    decoder = Decoder(config or file_config(), generator)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(source.open("rb"))
        reader = Reader(file)
        recording = stack.enter_context(_Recording(decoder, target, side_by_side, overwrite))
        read = 0
        for packet in reader:
            recording.write(decoder.decode(packet))
            read += packet.kind == Kind.MOTION
            if progress is not None:
                progress(read, reader.motion_packets)
        recording.write(decoder.flush())
        header, frames = recording.finish(source)
    return DecodeReport(header, frames, decoder.statistics, reader.damaged, reader.truncated)


def file_config(config: DecoderConfig | None = None, *, badge: bool = True) -> DecoderConfig:
    """Settings for files: the badge is drawn, and sound may come late without harm."""
    return replace(
        config or DecoderConfig(),
        badge=badge,
        max_wait_ms=_FILE_WAIT_MS,
        max_pause_ms=_FILE_PAUSE_MS,
    )


class _Recording:
    """Outputs of a decoder into a file that begins with the first picture or sound."""

    def __init__(
        self, decoder: Decoder, target: Path, original: TimedFrames | None, overwrite: bool
    ) -> None:
        self._decoder = decoder
        self._target = target
        self._original = original
        self._overwrite = overwrite
        self._stack = contextlib.ExitStack()
        self._writer: VideoWriter | None = None
        self._input: InputFrames | None = None
        self._origin = Fraction(0)
        self._end = Fraction(0)  # of the last picture
        self._sound: SoundOutput | None = None  # the newest piece

    @property
    def frames(self) -> int:
        """Pictures written so far."""
        return self._writer.frames if self._writer else 0

    def write(self, outputs: list[Output]) -> None:
        """Write pictures and sound."""
        for output in outputs:
            if self._writer is None:
                self._writer = self._begin(output)
            if isinstance(output, SoundOutput):
                self._write_sound(self._writer)
                self._sound = output
            else:
                frame = output.frame
                if self._decoder.header is not None:
                    self._end = output.pts + 1 / self._decoder.header.fps
                if self._input is not None:
                    frame = beside(self._input.at(output.pts), frame)
                self._writer.picture(frame, output.pts - self._origin)

    def finish(self, source: Path) -> tuple[StreamHeader, int]:
        """Close the file and name it; raises `StreamError` where there was no picture."""
        header = self._decoder.header
        if header is None:
            raise StreamError(f"{source} holds no stream header: there is nothing to decode")
        if self._writer is None or not self._writer.frames:
            raise StreamError(f"{source} holds no picture that can be decoded")
        if self._sound is not None and self._sound.pts < self._end:
            # The last Opus packet is filled up with silence.
            left = math.ceil((self._end - self._sound.pts) * SAMPLE_RATE)
            self._sound = replace(self._sound, pcm=self._sound.pcm[:left])
        self._write_sound(self._writer)
        self._writer.close()
        return header, self._writer.frames

    def _write_sound(self, writer: VideoWriter) -> None:
        """What waits."""
        if self._sound is not None:
            writer.sound(self._sound.pcm, self._sound.pts - self._origin)
        self._sound = None

    def _begin(self, first: Output) -> VideoWriter:
        header = self._decoder.header
        if header is None:
            raise StreamError("a picture or sound came before the stream's header")
        if first.pts > _LATE_START:
            self._origin = first.pts
        width, height = header.width, header.height
        if self._original is not None:
            constant = header.time_base * header.fps == 1
            tolerance = 1 / (2 * header.fps) if constant else header.time_base
            self._input = InputFrames(self._original, height, tolerance)
            width += self._input.at(first.pts).shape[1]
        return self._stack.enter_context(
            VideoWriter(
                self._target,
                (height, width),
                header.fps,
                header.time_base,
                sound=header.audio is not None,
                overwrite=self._overwrite,
            )
        )

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
