"""`SoundTrack`: decodes Opus packets, and gives the mel window of any frame.

It keeps the last seconds of the decoded sound, because the generator hears a little of what comes
before and after a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ...codec.counters import WRAP, nearest
from ...codec.errors import StreamError, UnsupportedError
from ...codec.sound.opus import OpusDecoder
from ...codec.stream import AudioParameters
from ...models.mel import HOP, MEL_STEPS, SAMPLE_RATE, log_mel, mel_window, window_start
from ..config import DecoderConfig
from ..ordering.backwards import Backwards
from ..ordering.timeline import Timeline
from ..statistics import Statistics

__all__ = ["Sound", "SoundTrack", "needed_samples"]

Array = npt.NDArray[np.float32]
_REACH = 280
"""Samples from the grid point of a mel step to the end of its 25 ms window (models/mel.py)."""
_HISTORY = 8 * SAMPLE_RATE
_LONGEST_S = 0.12  # of a packet
_CONCEALED_MS = 400
"""Most lost sound in a row that Opus makes up; by then it has faded to silence."""
_SILENCE_MS = 600
"""Most silence that Opus makes after a packet that announces it; another one comes each 400 ms."""
_DTX_BYTES = 2
"""An Opus packet of so few bytes says that the sender is silent (RFC 6716, 2.1.9)."""
_BACK_MS = 500


@dataclass(frozen=True, slots=True)
class Sound:
    """A piece of decoded sound.

    Attributes:
        pcm: float32 mono `[n]` at 16 kHz.
        start: sample at which it begins, counted from time 0 of the stream.
        concealed: Opus made it up in place of a lost or damaged packet.
        pause: the sender says that nobody speaks; it says so late.
    """

    pcm: Array
    start: int
    concealed: bool
    pause: bool


def needed_samples(centre: int, lookahead_ms: int) -> int:
    """The first sample after the mel window of a frame at sample `centre`."""
    steps = window_start(centre) + MEL_STEPS // 2 + min(lookahead_ms, 100) // 10
    return (steps - 1) * HOP + _REACH


class SoundTrack:
    """Decodes the sound of one stream.

    A packet lasts one tick of the stream's sound or several. After a packet of one or two bytes
    (Opus's DTX) the sender is silent, and what does not come is not lost. With a clock, nothing is
    given out for a silence or for a loss of more than 0.4 s: it would come too late to be played.

    Args:
        parameters: of the stream's header.
        config: of the decoder.
        statistics: late, damaged and made-up packets are counted into it.

    Attributes:
        heard: the sound is known up to this sample of the stream.
        came: when the last packet came, in seconds of the clock; None without one.

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
        self._length = parameters.frame_ms * SAMPLE_RATE // 1000  # samples of a tick
        self._concealed = -(-_CONCEALED_MS // parameters.frame_ms)
        self._silence = -(-_SILENCE_MS // parameters.frame_ms)
        self._lookahead = config.lookahead_ms
        self._reorder = config.reorder_ms / 1000
        self._statistics = statistics
        self._timeline: Timeline[bytes] = Timeline(
            parameters.time_base, config.max_pause_ms // parameters.frame_ms
        )
        self._backwards = Backwards(_BACK_MS // parameters.frame_ms)
        self._decoder = OpusDecoder()
        self._history = np.zeros(0, np.float32)
        self.heard = 0
        self.came: float | None = None
        self.restart()

    def restart(self) -> None:
        """The sender began anew: the next packet may have any time."""
        self._next: int | None = None  # the tick after the last packet
        self._lasted = 0  # samples of the last packet
        self._silent = False

    def anchor(self, time: Fraction) -> None:
        """Tell about what time it is, in seconds, to unwrap the 16-bit numbers near it."""
        self._timeline.anchor(int(time * SAMPLE_RATE) // self._length)

    def follows(self, number: int) -> bool:
        """Whether a packet with this 16-bit time stamp is the next one."""
        return self._next is not None and number == self._next % WRAP

    def needs(self, number: int, until: float) -> bool:
        """Whether what is missing before the packet with this 16-bit time stamp lies before a time
        in seconds. After a silence it is not known where that begins.
        """
        if self._next is None:
            return False
        begins = nearest(number, self._next) * self._length / SAMPLE_RATE
        return max(self.heard / SAMPLE_RATE, begins - _LONGEST_S) < until

    def push(self, number: int, payload: bytes, now: float | None = None) -> list[Sound]:
        """Decode one packet.

        Args:
            number: the packet's 16-bit time stamp, which counts ticks from time 0.
            payload: one Opus packet.
            now: seconds of the clock, None without one.

        Returns:
            Its sound, after that of lost packets before it. Nothing for a packet out of order.
            A payload that is not Opus is replaced like a lost one.
        """
        sounds: list[Sound] = []
        for index, data in self._timeline.push(number, payload, now):
            sounds += self._take(index, data, now)
        return sounds

    def flush(self) -> list[Sound]:
        """The sound of a packet whose time was in doubt; called when no more will come."""
        return [
            sound
            for index, data in self._timeline.flush()
            for sound in self._take(index, data, None)
        ]

    def known(self, now: float | None) -> int:
        """The sample up to which the sound is known: heard, or silent if the sender is silent."""
        if now is None or self.came is None or not self._silent:
            return self.heard
        passed = int((now - self.came - self._reorder) * SAMPLE_RATE)
        return max(self.heard, self.heard - self._lasted + passed)

    def _take(self, index: int, payload: bytes, now: float | None) -> list[Sound]:
        first = index if self._next is None else self._next
        if self._backwards.push(first - index):
            self.restart()
            first = index
        if index < first:
            self._statistics.late += 1
            return []
        self._next = first
        sounds: list[Sound] = []
        if now is None or not (self._silent or index - first > self._concealed):
            most = self._silence if self._silent else self._concealed
            sounds = self._fill(min(index, first + most))
        sounds.append(self._piece(index, payload))
        self._lasted, self.came = len(sounds[-1].pcm), now
        self._silent = len(payload) <= _DTX_BYTES and not sounds[-1].concealed
        return [sound for sound in sounds if len(sound.pcm)]

    def _fill(self, end: int) -> list[Sound]:
        """Let Opus go on until a tick: silence if the sender is silent, else made-up sound."""
        sounds = []
        while self._next is not None and self._next < end:
            pcm = self._decoder.decode(None)[: (end - self._next) * self._length]
            self._statistics.concealed_audio += not self._silent
            sounds.append(self._place(self._next, pcm, not self._silent, pause=self._silent))
        return sounds

    def _piece(self, index: int, payload: bytes) -> Sound:
        try:
            pause = len(payload) <= _DTX_BYTES
            return self._place(index, self._decoder.decode(payload), False, pause=pause)
        except StreamError:
            self._statistics.damaged += 1
            self._statistics.concealed_audio += 1
            return self._place(index, self._decoder.decode(None)[: self._length], True)

    def _place(self, index: int, pcm: Array, concealed: bool, *, pause: bool = False) -> Sound:
        """Sound that begins at a tick; a part of a tick at its end is cut off."""
        ticks = max(len(pcm) // self._length, 1)
        pcm, start = pcm[: ticks * self._length], index * self._length
        self._append(pcm, start)
        self._next = index + ticks
        return Sound(pcm, start, concealed, pause)

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

    def since(self, sample: int) -> tuple[Array, int]:
        """The sound from a sample on, float32 `[n]`, and the sample at which it begins; it begins
        later where the earlier sound is no longer kept.
        """
        start = max(sample, self.heard - len(self._history))
        return self._history[len(self._history) - max(self.heard - start, 0) :], start

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
