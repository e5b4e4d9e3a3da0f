"""Video files as frames and sound, both streamed: memory does not grow with the file's pictures.

Pictures and sound are read through two containers of the same file, so that either may be read
ahead of the other. Time zero is the first frame shown; the sound is padded or cut to begin there.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from ...codec.errors import MediaError, NotAVideoError
from ...codec.sound.opus import SAMPLE_RATE
from .clock import Clock, Stamps
from .mixing import SILENCE
from .reading import BREAKS, Damage, decode, open_video, packets_of, unread_recording
from .sound import Aligner, choose_track
from .timing import Timing, measure_timing
from .tone_mapping import ToneMapper, hdr_name
from .upright import MAX_SIDE, Turn, pixel_aspect, shown_size, turn_of, upright, wide_samples

__all__ = ["MAX_SIDE", "SAMPLE_RATE", "Capture", "VideoInfo"]

_log = logging.getLogger(__name__)

_PICTURES, _SOUND = 0, 1  # streams of the clock
_EARLY_S = 0.5  # of sound before the pictures, which is left out: more than that is said
_SAMPLED = 25  # frames of an HDR video that decide where its white is

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
        hdr: "HLG" or "PQ" where the pictures are HDR and are mapped to standard range, else None.
    """

    width: int
    height: int
    timing: Timing
    has_sound: bool
    hdr: str | None = None


class Capture:
    """A video file, opened.

    Args:
        path: anything that PyAV reads: any size, rate, pixel format, with or without sound.
        audio_track: number of the sound track, from 1; None takes the first that is not silent.

    Attributes:
        info: see `VideoInfo`.

    Raises:
        NotAVideoError: no such file, not a video, or sound alone.
        MediaError: a video without frames.
        ConfigError: there is no such sound track.
    """

    def __init__(self, path: str | Path, audio_track: int | None = None) -> None:
        self._path = Path(path)
        with open_video(self._path) as container:
            stream = _video_stream(container, self._path)
            self._video = int(stream.index)
            self._aspect = pixel_aspect(stream)
            self._sound = choose_track(container, self._path.name, audio_track)
        timing = self._measure()
        if timing.frames == 0:
            raise MediaError(f"{self._path.name} has a video track without a single frame")
        # The turn and the colours are known from decoded frames only.
        decoded = self._decoded(Damage())
        first = next(decoded, None)
        if first is None:
            raise NotAVideoError(f"{self._path.name}: not one frame of its video can be decoded")
        self._start = first[1]
        width, height = shown_size(first[0], self._aspect, turn_of(first[0]))
        hdr = hdr_name(first[0])
        self._mapper: ToneMapper | None = None
        if hdr is not None:
            samples = [wide_samples(first[0])]
            samples += [
                wide_samples(f) for _, (f, _) in zip(range(_SAMPLED), decoded, strict=False)
            ]
            self._mapper = ToneMapper(hdr, samples)
        decoded.close()
        self.info = VideoInfo(width, height, timing, self._sound is not None, hdr)

    def frames(self) -> Iterator[tuple[Frame, Fraction]]:
        """Frames in the order they are shown.

        Yields:
            uint8 RGB `[H, W, 3]` (upright, square pixels, longest side at most `MAX_SIDE`; alpha
            dropped, deeper samples rounded to 8 bits, HDR mapped to standard range, interlaced
            pictures at the time of their first lines), and its time
            in seconds, the first at 0, each later than the one before. The size may change on
            the way. Damaged frames are left out, and so are those whose stamps were there before
            (where recordings overlap).
        """
        last: Fraction | None = None
        turn: Turn | None = None
        timing, damage = self.info.timing, Damage()
        for number, (frame, time) in enumerate(self._decoded(damage)):
            pts = time - self._start if timing.stamped else number / timing.fps
            if last is not None and pts <= last:
                continue
            last = pts
            turn = turn_of(frame) if turn is None or frame.key_frame else turn
            mapper = self._mapper if hdr_name(frame) == self.info.hdr else None
            yield upright(frame, self._aspect, turn, mapper), pts
        damage.warn(self._path.name, "pictures")

    def sound(self) -> Iterator[Sound]:
        """The sound as mono at 16 kHz, float32 `[n]` on [-1, 1], n of any size.

        The first sample belongs to the first frame's time; gaps are silence. Nothing where the
        file has no sound. A warning is logged where all of it is silent, where some is damaged,
        where its channels cancel each other out, and where it begins clearly before the first
        frame.
        """
        if self._sound is None:
            return
        with open_video(self._path) as container:
            stream = container.streams[self._sound]
            aligner, damage = Aligner(self._start), Damage()
            number = 0
            for packet in packets_of(container, [stream]):
                if packet.size and self._mend(packet, _SOUND, number):
                    aligner.jump()
                number += packet.size > 0
                for frame in decode(packet, damage):
                    yield from aligner.push(frame)
            yield from aligner.flush()
        name = self._path.name
        damage.warn(name, "sound")
        aligner.warn(name)
        if aligner.early_s > _EARLY_S:
            _log.warning(
                "%s: its sound begins before its pictures; %.1f s of it are left out",
                *(name, aligner.early_s),
            )
        elif aligner.peak <= SILENCE:
            _log.warning("%s: its sound is silent from beginning to end", name)

    def _decoded(self, damage: Damage) -> Generator[tuple[av.VideoFrame, Fraction], None, None]:
        """Decoded frames and their times on the file's clock."""
        with open_video(self._path) as container:
            stream: Any = container.streams[self._video]
            stream.thread_type = "AUTO"
            tick = Fraction(stream.time_base or Fraction(1, 90_000))
            step = 1 / self._fps
            time = self._lead - step
            number = 0
            for packet in packets_of(container, [stream]):
                if packet.size:
                    self._mend(packet, _PICTURES, number)
                    number += 1
                for frame in decode(packet, damage):
                    if frame.pts is not None:
                        time = frame.pts * tick
                    else:  # raw streams carry no stamps, some Matroska files none below zero
                        time += step
                    yield frame, time

    def _measure(self) -> Timing:
        """Read all stamps, without decoding: they give the clock and the rate."""
        with open_video(self._path) as container:
            streams: list[Any] = [container.streams[self._video]]
            if self._sound is not None:
                streams.append(container.streams[self._sound])
            found = [Stamps(picture=True), Stamps(picture=False)][: len(streams)]
            place = {stream.index: n for n, stream in enumerate(streams)}
            pictures: list[tuple[int, int | None]] = []
            end = 0
            for order, packet in enumerate(packets_of(container, streams)):
                if not packet.size:
                    continue
                end = max(end, (packet.pos or 0) + packet.size)
                which, second = place[packet.stream.index], float(packet.time_base)
                shown, sent = (None if t is None else t * second for t in (packet.pts, packet.dts))
                if which == _PICTURES and not packet.is_discard:
                    pictures.append((len(found[which].orders), packet.pts))
                found[which].add(order, shown, sent, (packet.duration or 0) * second)
            if unread := unread_recording(self._path, end):
                _log.warning(
                    "%s: a second recording begins %d bytes before its end. FFmpeg does not read "
                    "it, and it is left out: convert both recordings apart",
                    *(self._path.name, unread),
                )
            self._clock = Clock(found, breaks=bool(container.format.flags & BREAKS))
            tick = Fraction(streams[0].time_base or 1)
            stamps = [
                pts if pts is None else pts + self._ticks(_PICTURES, number, tick)[0]
                for number, pts in pictures
            ]
            claimed = streams[0].average_rate or streams[0].guessed_rate
            timing = measure_timing(stamps, tick, claimed)
            if len(stamps) > 1 and stamps[0] is not None and not timing.stamped:
                _log.warning(
                    "%s: its time stamps repeat and tell no times: %g frames a second are assumed",
                    *(self._path.name, float(timing.fps)),
                )
            self._lead, self._fps = Fraction(0), timing.fps
            known = [stamp for stamp in stamps if stamp is not None]
            if known and stamps[0] is None:  # frames before the first stamp are shown before it
                self._lead = min(known) * tick - (len(stamps) - len(known)) / timing.fps
            return timing

    def _ticks(self, which: int, number: int, tick: Fraction) -> tuple[int, bool]:
        seconds, jumps = self._clock.offset(which, number)
        return round(seconds / float(tick)), jumps

    def _mend(self, packet: Any, which: int, number: int) -> bool:
        """Put a packet's stamps on the one clock; whether a new recording begins with it."""
        ticks, jumps = self._ticks(which, number, packet.time_base)
        if ticks:
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return jumps

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        """Containers are open only while they are read; nothing is left to close."""


def _video_stream(container: InputContainer, path: Path) -> Any:
    attached = av.stream.Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & attached]
    if not streams:
        what = "holds sound but no picture" if container.streams.audio else "is not a video"
        raise NotAVideoError(f"{path.name} {what}")
    best: Any = container.streams.best("video")
    return best if best in streams else streams[0]
