"""Whole files: a video in, a `.fwire` out. A thin loop over `Capture` and `Encoder`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt

from ..codec.errors import ConfigError, NoFaceError
from ..codec.file.accounting import BitCount
from ..codec.file.container import HEAD_BYTES, Writer
from ..codec.motion.profiles import motion_ticks
from ..codec.packet import Kind, Packet
from ..codec.sound.opus import SAMPLE_RATE
from ..codec.whole_file import whole_file
from .config import EncoderConfig
from .encoder import Encoder
from .observed import ObservedFrame
from .performing.lips import Mouths
from .tracking.ahead import read_ahead
from .tracking.capture import Capture, VideoInfo

__all__ = ["EncodeReport", "Footage", "Progress", "encode_file", "encode_packets", "encode_to"]

Progress = Callable[[int, int], None]
"""Called after each frame with the number of frames done and the number expected."""
_log = logging.getLogger(__name__)
_OFF = 0.02  # a rate that is missed by more than this part of it is reported
_AHEAD = Fraction(1, 4)  # seconds that sound is written before its frame, so that no player waits
_DEPTH = 4  # frames that are decoded before they are needed
_TRACKED = 100  # frames that are tracked while those before them are coded
_PADDING = 1024  # samples: AAC fills its last frame with silence, 64 ms at 16 kHz
Frame = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


class Footage(Protocol):
    """What is encoded: a `Capture`, or what takes its place (`performing.voice.Voice`)."""

    info: VideoInfo

    def frames(self) -> Iterator[tuple[Frame, Fraction]]:
        """See `Capture.frames`."""

    def sound(self) -> Iterator[Sound]:
        """See `Capture.sound`."""


@dataclass(frozen=True, slots=True)
class EncodeReport:
    """What came out.

    Attributes:
        frames: frames sent.
        repeated: those of them that show no face and repeat the motion before.
        keyframes: references, including keyframes at which one can join.
        duration_s: seconds of video.
        bits: by part, as `facewire info` counts them.
        bpp: bits a pixel, everything counted.
        kbps: 1000 bits a second, everything counted.
        asked_kbps: the rate that was asked for, None if there was none.
        hdr: "HLG" or "PQ" if the video was HDR and has been mapped to standard range, else None.
        warnings: sentences about what did not come out as asked for; they are logged too.
    """

    frames: int
    repeated: int
    keyframes: int
    duration_s: float
    bits: dict[str, int]
    bpp: float
    kbps: float
    asked_kbps: float | None = None
    hdr: str | None = None
    warnings: tuple[str, ...] = ()


def encode_file(
    source: str | Path,
    target: str | Path,
    config: EncoderConfig | None = None,
    progress: Progress | None = None,
    *,
    overwrite: bool = False,
    audio_track: int | None = None,
) -> EncodeReport:
    """Encode a video file. `target` appears only when it is complete.

    Args:
        source: any video that PyAV reads.
        target: the `.fwire` file, or a FIFO.
        config: settings.
        progress: see `Progress`.
        overwrite: replace `target` if it exists.
        audio_track: number of the sound track to send, from 1; None sends the first that is not
            silent.

    Raises:
        OutputExistsError: `target` exists, and `overwrite` is false.
        MediaError, NotAVideoError, NoFaceError: the source cannot be used.
        ConfigError: the settings cannot be used, there is no such sound track, or the target is
            the source.
        OSError: the target cannot be written.
    """
    source, target = Path(source), Path(target)
    with Capture(source, audio_track) as capture:
        if target.exists() and target.samefile(source):
            raise ConfigError(f"{target} is the input itself; choose another name for the output")
        with whole_file(target, overwrite=overwrite) as file:
            return encode_to(capture, file, config, progress)


def encode_to(
    capture: Footage,
    file: BinaryIO,
    config: EncoderConfig | None = None,
    progress: Progress | None = None,
    *,
    mouths: Mouths | None = None,
) -> EncodeReport:
    """Like `encode_file`, but into a file object, which stays open; `mouths` as of `Encoder`."""
    config = config or EncoderConfig()
    timing = capture.info.timing
    count, beside = BitCount(), BitCount()  # `beside`: what is not part of a rate
    with _encoder_of(capture, config, mouths) as encoder:
        if encoder.header.mouth_rests:
            _log.warning(
                "profile %s sends no mouth, and there is no sound that could move it: the mouth "
                "will rest as in the keyframe",
                config.profile,
            )
        writer = Writer(file)
        count.add_container(HEAD_BYTES)
        for packet in encode_packets(capture, encoder, progress):
            writer.write(packet)
            motion = packet.kind == Kind.MOTION
            frames = len(motion_ticks(config.profile, packet.payload)) if motion else 1
            count.add(packet, frames=frames)
            if packet.kind == Kind.IDENTITY:
                beside.add(packet)
        writer.close()
        count.fill_to(writer.bytes_written)
        done = encoder.statistics
        seconds = max(encoder.seconds, Fraction(1, 1000))
    kbps, asked = count.kbps(seconds)["total"], config.rate_kbps(timing.fps)
    warnings = _warnings(kbps - beside.kbps(seconds)["total"], asked)
    for warning in warnings:
        _log.warning("%s", warning)
    return EncodeReport(
        frames=done.frames,
        repeated=done.repeated,
        keyframes=done.keyframes,
        duration_s=float(seconds),
        bits=count.bits,
        bpp=count.bpp(done.frames, config.size, config.size)["total"],
        kbps=kbps,
        asked_kbps=asked,
        hdr=capture.info.hdr,
        warnings=warnings,
    )


def _warnings(kbps: float, asked: float | None) -> tuple[str, ...]:
    """Says if the rate came out otherwise than it was asked for."""
    if asked is None or abs(kbps - asked) <= _OFF * asked:
        return ()
    why = (
        "this video cannot use more: its references have the largest pictures that pay"
        if kbps < asked
        else "motion and sound alone take more than was expected"
    )
    return (f"the rate is {kbps:.1f} kbit/s, not the {asked:.1f} that were asked for: {why}",)


def _encoder_of(capture: Footage, config: EncoderConfig, mouths: Mouths | None) -> Encoder:
    timing = capture.info.timing
    encoder = Encoder(
        config,
        fps=timing.fps,
        time_base=timing.time_base,
        duration_s=timing.duration_s,
        sound=capture.info.has_sound,
        mouths=mouths,
    )
    encoder.prepare()  # what is missing is said before a file is begun
    return encoder


def encode_packets(
    capture: Footage, encoder: Encoder, progress: Progress | None = None
) -> Iterator[Packet]:
    """All packets of a file, in the order in which they are to be sent.

    Raises:
        NoFaceError: the whole video shows no face. All its sound has been given before that.
    """
    timing = capture.info.timing
    sound = _SoundReader(capture.sound()) if encoder.header.audio else None
    end = timing.duration_s
    for index, (frame, seconds, pts) in enumerate(read_ahead(_tracked(capture, encoder), _TRACKED)):
        pcm = sound.until(min(seconds + 1 / timing.fps + _AHEAD, end)) if sound else None
        yield from encoder.encode(frame, pcm, pts)
        if progress is not None:
            progress(index + 1, max(timing.frames, index + 1))
    if sound is not None:
        for pcm in sound.rest():
            yield from encoder.encode(pcm=pcm)
    try:
        yield from encoder.flush()
    except NoFaceError:
        yield from encoder.flush()  # the rest of the sound
        raise


def _tracked(
    capture: Footage, encoder: Encoder
) -> Iterator[tuple[Frame | ObservedFrame, Fraction, int]]:
    """What `Encoder.encode` takes of each frame, its time in seconds, and in ticks."""
    last = -1
    for frame, seconds in read_ahead(capture.frames(), _DEPTH):
        last = max(last + 1, capture.info.timing.ticks(seconds))  # two in one tick: the next one
        yield encoder.track(frame, last), seconds, last


class _SoundReader:
    """Gives the sound up to a time, no matter what pieces it comes in."""

    def __init__(self, pieces: Iterator[Sound]) -> None:
        self._pieces = pieces
        self._left = np.zeros(0, np.float32)
        self._given = 0

    def until(self, seconds: Fraction) -> Sound:
        """The sound up to that time, without what was given before."""
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
        """All the rest, in pieces; nothing if it is no more than the padding of a container."""
        parts, have = [self._left], len(self._left)
        while have <= _PADDING and (piece := next(self._pieces, None)) is not None:
            parts.append(piece)
            have += len(piece)
        if have > _PADDING:
            yield np.concatenate(parts)
            yield from self._pieces
