"""The sound of a video: which of its tracks, and its samples on the clock of the pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer

from ...codec.errors import ConfigError
from ...codec.sound.opus import SAMPLE_RATE
from .mixing import Mixed, Mixer, heard_s
from .reading import Damage, decode, packets_of

__all__ = ["Aligner", "choose_track"]

_log = logging.getLogger(__name__)

_SLACK = SAMPLE_RATE // 20  # 50 ms: below, time stamps are taken to be imprecise, above to be right
_ENOUGH_S = 2.0  # seconds of audible sound that tell that a track is not silent
_LONGEST_S = 120.0  # seconds in which a track must be heard, or it counts as silent
_HARDLY = 0.015  # heard for less than this part of the time of another track: a click or two

Sound = npt.NDArray[np.float32]


def choose_track(container: InputContainer, name: str, number: int | None) -> int | None:
    """The sound track to send: the first that is not silent.

    Args:
        container: at its beginning; it is read from there, at most two minutes of it.
        name: of the video, for messages.
        number: of the track, counted from 1, or None to choose.

    Returns:
        Index of its stream in the container; None where there is no sound.

    Raises:
        ConfigError: there is no track of that number.
    """
    # A track of an unknown codec is as good as none.
    tracks: list[Any] = [s for s in container.streams.audio if s.codec_context is not None]
    if number is not None:
        if not 1 <= number <= len(tracks):
            count = f"{len(tracks)} sound track{'s' * (len(tracks) != 1)}" if tracks else "no sound"
            raise ConfigError(f"{name} has {count}: there is no track {number}")
        tracks = [tracks[number - 1]]
    if not tracks:
        return None
    heard = _listen(container, tracks)
    most = max(heard.values())
    audible = [s for s in tracks if most and heard[s.index] >= _HARDLY * most]
    chosen = audible[0] if audible else tracks[0]
    if chosen is not tracks[0]:
        place = tracks.index(chosen) + 1
        _log.warning("%s: its first sound track is silent; track %d is sent", name, place)
    return int(chosen.index)


def _listen(container: InputContainer, tracks: list[Any]) -> dict[int, float]:
    """Seconds that are not silent, of each track as far as is needed to choose."""
    heard = {stream.index: 0.0 for stream in tracks}
    seconds = dict(heard)
    damage = Damage()
    for packet in packets_of(container, tracks):
        index = packet.stream.index
        for frame in decode(packet, damage):
            heard[index] += heard_s(frame)
            seconds[index] += frame.samples / max(frame.sample_rate, 1)
        if heard[tracks[0].index] >= _ENOUGH_S or seconds[index] >= _LONGEST_S:
            break
    return heard


class Aligner:
    """Mixes and resamples sound, and keeps it on the video's clock.

    Args:
        start: the time in seconds to which the first sample belongs.

    Attributes:
        peak: largest magnitude of a sample that was given.
        early_s: seconds of sound from before the start, which are left out.
    """

    def __init__(self, start: Fraction) -> None:
        self._start = start
        self._mixer = Mixer()
        self._given = 0
        self._exact = True
        self._jumped = False
        self.peak = self.early_s = 0.0
        self._resampler = _resampler()

    def jump(self) -> None:
        """The next frame comes from another recording: it is placed exactly by its stamp."""
        self._jumped = True

    def push(self, frame: av.AudioFrame) -> Iterator[Sound]:
        """The next decoded frame; gives float32 `[n]`, n of any size."""
        for mixed in self._mixer.push(frame, self._jumped):
            yield from self._align(mixed)
        self._jumped = False

    def flush(self) -> Iterator[Sound]:
        """What is still held back."""
        for mixed in self._mixer.flush():
            yield from self._align(mixed)
        yield from self._give(_samples(self._resampler.resample(None)))

    def warn(self, name: str) -> None:
        """Say what of the channels is left out.

        Args:
            name: of the file.
        """
        if self._mixer.cancelled is not None:
            _log.warning(
                "%s: from %.1f s on, the channels of its sound cancel each other out; where they "
                "do, only one of them is sent",
                *(name, max(float(self._mixer.cancelled - self._start), 0.0)),
            )

    def _align(self, mixed: Mixed) -> Iterator[Sound]:
        time = mixed.time
        self._exact = self._exact or mixed.jumped
        if time is not None and time < self._start:
            lasts = Fraction(len(mixed.pcm), mixed.rate)
            self.early_s += float(min(self._start - time, lasts))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(mixed.pcm[None]), format="flt", layout="mono"
        )
        frame.sample_rate = mixed.rate
        try:
            parts = self._resampler.resample(frame)
        except ValueError:  # the track changed its rate: begin a new resampler
            yield from self._give(_samples(self._resampler.resample(None)))
            self._resampler = _resampler()
            parts = self._resampler.resample(frame)
        pcm = _samples(parts)
        if time is not None:
            # Where the sound should stand now, against what was given: a gap, or too much.
            late = round((time - self._start) * SAMPLE_RATE) - self._given
            slack = 0 if self._exact else _SLACK
            if late > slack:
                yield from _silence(late)
                self._given += late
            elif late < -slack:
                pcm = pcm[min(-late, len(pcm)) :]
        self._exact = self._exact and not len(pcm)
        yield from self._give(pcm)

    def _give(self, pcm: Sound) -> Iterator[Sound]:
        if len(pcm):
            self._given += len(pcm)
            self.peak = max(self.peak, float(np.abs(pcm).max()))
            yield pcm


def _resampler() -> av.AudioResampler:
    return av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)


def _samples(frames: list[av.AudioFrame]) -> Sound:
    if not frames:
        return np.zeros(0, np.float32)
    pcm = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    return np.asarray(pcm.clip(-1, 1), np.float32)


def _silence(samples: int) -> Iterator[Sound]:
    """In pieces of at most a second: a stamp far off must not fill the memory."""
    for start in range(0, samples, SAMPLE_RATE):
        yield np.zeros(min(SAMPLE_RATE, samples - start), np.float32)
