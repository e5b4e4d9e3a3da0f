"""Whole files: a video in, a `.fwire` out. A thin loop over `Capture` and `Encoder`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError
from ..codec.file.accounting import BitCount
from ..codec.file.container import HEAD_BYTES, Writer
from ..codec.motion.profiles import motion_ticks
from ..codec.packet import Kind, Packet
from ..codec.whole_file import whole_file
from .config import EncoderConfig
from .encoder import Encoder
from .tracking.capture import SAMPLE_RATE, Capture

__all__ = ["EncodeReport", "Progress", "encode_file", "encode_packets", "encode_to"]

Progress = Callable[[int, int], None]
"""Called after each frame with frames done and frames expected."""
_AHEAD = Fraction(1, 4)  # sound is written this much before its frame: a player need not wait
_PADDING = 1024  # samples: AAC fills its last frame with silence, 64 ms of it at 16 kHz
Sound = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncodeReport:
    """What came out.

    Attributes:
        frames: frames sent.
        repeated: of these, without the face: they repeat the motion before.
        keyframes: number of them.
        duration_s: seconds of video.
        bits: by part, as `facewire info` counts them.
        bpp: bits a pixel of all.
        kbps: 1000 bits a second of all.
    """

    frames: int
    repeated: int
    keyframes: int
    duration_s: float
    bits: dict[str, int]
    bpp: float
    kbps: float


def encode_file(
    source: str | Path,
    target: str | Path,
    config: EncoderConfig | None = None,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
) -> EncodeReport:
    """Encode a video file. `target` appears only when it is complete.

    Args:
        source: any video that PyAV reads.
        target: the `.fwire` file, or a FIFO.
        config: settings.
        progress: see `Progress`.
        overwrite: replace `target` if it exists.

    Raises:
        OutputExistsError: `target` exists, and `overwrite` is false.
        MediaError, NotAVideoError, NoFaceError: the source cannot be used.
        ConfigError: settings, or a target that is the source.
        OSError: the target cannot be written.
    """
    source, target = Path(source), Path(target)
    with Capture(source) as capture:
        if target.exists() and target.samefile(source):
            raise ConfigError(f"{target} is the input itself; choose another name for the output")
        with whole_file(target, overwrite=overwrite) as file:
            return encode_to(capture, file, config, progress)


def encode_to(
    capture: Capture,
    file: BinaryIO,
    config: EncoderConfig | None = None,
    progress: Progress | None = None,
) -> EncodeReport:
    """As `encode_file`, into a file object, which stays open."""
    config = config or EncoderConfig()
    timing = capture.info.timing
    count = BitCount()
    with _encoder_of(capture, config) as encoder:
        writer = Writer(file)
        count.add_container(HEAD_BYTES)
        for packet in encode_packets(capture, encoder, progress):
            writer.write(packet)
            motion = packet.kind == Kind.MOTION
            frames = len(motion_ticks(config.profile, packet.payload)) if motion else 1
            count.add(packet, frames=frames)
        writer.close()
        count.fill_to(writer.bytes_written)
        done = encoder.statistics
    seconds = max(timing.duration_s, Fraction(1, 1000))
    return EncodeReport(
        frames=done.frames,
        repeated=done.repeated,
        keyframes=done.keyframes,
        duration_s=float(seconds),
        bits=count.bits,
        bpp=count.bpp(done.frames, config.size, config.size)["total"],
        kbps=count.kbps(seconds)["total"],
    )


def _encoder_of(capture: Capture, config: EncoderConfig) -> Encoder:
    timing = capture.info.timing
    return Encoder(
        config,
        fps=timing.fps,
        time_base=timing.time_base,
        duration_s=timing.duration_s,
        sound=capture.info.has_sound,
    )


def encode_packets(
    capture: Capture, encoder: Encoder, progress: Progress | None = None
) -> Iterator[Packet]:
    """All packets of a file, in the order they are to be sent.

    Raises:
        NoFaceError: no face in the whole video; after the packets of its sound.
    """
    timing = capture.info.timing
    sound = _SoundReader(capture.sound()) if encoder.header.audio else None
    last, end = -1, timing.duration_s
    for index, (frame, seconds) in enumerate(capture.frames()):
        last = max(last + 1, timing.ticks(seconds))  # two frames in one tick: the next one
        pcm = sound.until(min(seconds + 1 / timing.fps + _AHEAD, end)) if sound else None
        yield from encoder.encode(frame, pcm, last)
        if progress is not None:
            progress(index + 1, max(timing.frames, index + 1))
    if sound is not None:
        for pcm in sound.rest():
            yield from encoder.encode(pcm=pcm)
    yield from encoder.flush()


class _SoundReader:
    """Gives the sound up to a time, however it is cut into pieces."""

    def __init__(self, pieces: Iterator[Sound]) -> None:
        self._pieces = pieces
        self._left = np.zeros(0, np.float32)
        self._given = 0

    def until(self, seconds: Fraction) -> Sound:
        """What has not been given yet, up to that time."""
        wanted = max(0, round(seconds * SAMPLE_RATE) - self._given)
        parts, have = [self._left], len(self._left)
        while have < wanted and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            have += len(piece)
        pcm = np.concatenate(parts)
        self._left = pcm[wanted:]
        self._given += min(wanted, have)
        return pcm[:wanted]

    def rest(self) -> Iterator[Sound]:
        """Everything else, in pieces; nothing where it is no more than a container's padding."""
        parts, have = [self._left], len(self._left)
        while have <= _PADDING and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            have += len(piece)
        if have > _PADDING:
            yield np.concatenate(parts)
            yield from self._pieces
