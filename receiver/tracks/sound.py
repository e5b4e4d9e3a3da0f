"""`SoundTrack`: decodes Opus packets, and gives the mel window of any frame.

It keeps the last seconds of the decoded sound, because the generator hears a little of what comes
before and after a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...codec.errors import StreamError, UnsupportedError
from ...codec.sound.opus import OpusDecoder
from ...codec.stream import AudioParameters
from ...models.mel import HOP, MEL_STEPS, SAMPLE_RATE, log_mel, mel_window, window_start
from ..config import DecoderConfig
from ..ordering.timeline import Timeline
from ..statistics import Statistics

__all__ = ["Sound", "SoundTrack", "needed_samples"]

Array = npt.NDArray[np.float32]
_REACH = 280
"""Samples from the grid point of a mel step to the end of its 25 ms window (models/mel.py)."""
_HISTORY = 8 * SAMPLE_RATE
_CONCEALED_MS = 400
"""Most lost sound in a row that Opus makes up; by then it has faded to silence."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of decoded sound.

    Attributes:
        pcm: float32 mono `[n]` at 16 kHz.
        start: sample at which it begins, counted from time 0 of the stream.
        concealed: Opus made it up in place of a lost or damaged packet.
    """

    pcm: Array
    start: int
    concealed: bool


def needed_samples(centre: int, lookahead_ms: int) -> int:
    """The first sample after the mel window of a frame at sample `centre`."""
    steps = window_start(centre) + MEL_STEPS // 2 + min(lookahead_ms, 100) // 10
    return (steps - 1) * HOP + _REACH


class SoundTrack:
    """Decodes the sound of one stream.

    Args:
        parameters: of the stream's header.
        config: of the decoder.
        statistics: late, damaged and made-up packets are counted into it.

    Attributes:
        heard: the sound is known up to this sample of the stream.

    Raises:
        UnsupportedError: a codec, rate or channel count that this build does not play.
    """

    def __init__(
        self, parameters: AudioParameters, config: DecoderConfig, statistics: Statistics
    ) -> None:
        found = (parameters.codec, parameters.sample_rate, parameters.channels)
        if found != ("opus", SAMPLE_RATE, 1):
            raise UnsupportedError(
                f"the sound is {parameters.codec}, {parameters.sample_rate} Hz, "
                f"{parameters.channels} channels; this build plays mono Opus at {SAMPLE_RATE} Hz"
            )
        self._length = parameters.frame_ms * SAMPLE_RATE // 1000
        self._concealed = -(-_CONCEALED_MS // parameters.frame_ms)
        self._lookahead = config.lookahead_ms
        self._statistics = statistics
        self._timeline: Timeline[bytes] = Timeline(config.max_pause_ms // parameters.frame_ms)
        self._decoder = OpusDecoder()
        self._history = np.zeros(0, np.float32)
        self._next: int | None = None
        self.heard = 0

    def anchor(self, time: Fraction) -> None:
        """Tell the time of a keyframe in seconds, to unwrap the 16-bit numbers near it."""
        self._timeline.anchor(int(time * SAMPLE_RATE) // self._length)

    def push(self, number: int, payload: bytes) -> list[Sound]:
        """Decode one packet.

        Args:
            number: the packet's 16-bit time stamp, which counts Opus packets from time 0.
            payload: one Opus packet.

        Returns:
            Its sound, after that of lost packets before it. Nothing for a packet out of order.
            A payload that is not Opus is replaced like a lost one.
        """
        sounds: list[Sound] = []
        for index, data in self._timeline.push(number, payload):
            sounds += self._take(index, data)
        return sounds

    def flush(self) -> list[Sound]:
        """The sound of a packet whose time was in doubt; called when no more will come."""
        return [
            sound for index, data in self._timeline.flush() for sound in self._take(index, data)
        ]

    def _take(self, index: int, payload: bytes) -> list[Sound]:
        first = index if self._next is None else self._next
        if index < first:
            self._statistics.late += 1
            return []
        missing = range(first, min(index, first + self._concealed))
        sounds = [self._piece(lost, None) for lost in missing]
        sounds.append(self._piece(index, payload))
        self._next = index + 1
        return [sound for sound in sounds if len(sound.pcm)]

    def needed(self, centre: int) -> int:
        """The sample up to which sound must be known for the frame at sample `centre`."""
        return needed_samples(centre, self._lookahead)

    def mel(self, centre: int) -> Array:
        """Mel window float32 `[80, 20]` of a frame at sample `centre`; unknown sound is silence."""
        # The slice begins two steps early, so that the first step used has all of its sound. It
        # begins on an even step, so that ties in `window_start` round as for a whole file.
        base = max(0, (window_start(centre) - 2) // 2 * 2)
        start, stop = base * HOP, self.needed(centre) + HOP
        steps = log_mel(self._between(start, min(stop, max(self.heard, start))))
        return mel_window(steps, centre - start, self._lookahead)

    def _piece(self, index: int, payload: bytes | None) -> Sound:
        concealed = payload is None
        try:
            pcm = self._decoder.decode(payload)
        except StreamError:
            self._statistics.damaged += 1
            pcm, concealed = self._decoder.decode(None), True
        self._statistics.concealed_audio += concealed
        start = index * self._length
        pcm = pcm[: self._length]  # a packet that lasts longer than the header says is cut
        self._append(pcm, start)
        return Sound(pcm, start, concealed)

    def _append(self, pcm: Array, start: int) -> None:
        gap = start - self.heard
        if gap >= _HISTORY or gap < 0:
            self._history = np.zeros(0, np.float32)
        elif gap:
            self._history = np.concatenate([self._history, np.zeros(gap, np.float32)])
        self._history = np.concatenate([self._history, pcm])[-_HISTORY:]
        self.heard = start + len(pcm)

    def _between(self, start: int, stop: int) -> Array:
        """The sound of samples `[start, stop)`, with silence for what is not kept."""
        begin = self.heard - len(self._history)
        low, high = max(start, begin), min(stop, self.heard)
        piece = np.zeros(max(stop - start, 0), np.float32)
        if high > low:
            piece[low - start : high - start] = self._history[low - begin : high - begin]
        return piece
