"""`SoundPlayout`: gives decoded sound to the loudspeaker evenly, although it arrives unevenly.

This is a jitter buffer. It delays playing by as long as `Lateness` finds necessary. When that
changes, or when the clocks of both machines drift apart, the sound that is played is shortened or
lengthened by whole pitch periods, by 3 % at most. If the delay is far longer than necessary, as
when a queue in the line has gone, the rest is cut at once; in the first seconds of a stream less is
enough for that, because a delay from its beginning would last for long. Pictures follow the sound's
clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE
from .lateness import Lateness
from .stretch import LEAST_SAMPLES, lengthen, shorten

__all__ = ["PlayoutStatistics", "SoundPlayout"]

Sound = npt.NDArray[np.float32]

_TOO_LONG_S, _TOO_SHORT_S = 0.012, 0.004  # a delay that is off by less is left alone
_PACE = 0.03  # the most by which sound is played faster or slower
_CUT_S = 0.4  # a delay that is too long by so much is cut, since 3 % would take 13 seconds
_NEW_S, _CUT_NEW_S = 6.0, 0.1  # the same for the first seconds of a stream
_FAR_S = 0.6  # sound that lies further off is jumped to
_MOST_S = 4.0  # of sound that waits
_FADE = SAMPLE_RATE // 100


@dataclass(slots=True)
class PlayoutStatistics:
    """Counts, in samples at 16 kHz.

    Attributes:
        played: samples for the loudspeaker, with the silence in place of missing sound.
        silent: samples of silence in place of sound that was not there in time.
        skipped: samples that were left out, because they came too late or were too far behind.
        stretched: samples that were added (positive) or removed (negative) to keep the delay.
    """

    played: int = 0
    silent: int = 0
    skipped: int = 0
    stretched: int = 0


class SoundPlayout:
    """Gives sound to a loudspeaker that asks for it at its own pace.

    Args:
        least_delay_s: the least delay between a sample's own time and its playing.

    Attributes:
        statistics: see `PlayoutStatistics`.
        block_s: how many seconds of sound the loudspeaker took the last time.
        resumed: seconds of this side's clock when sound last went on at another time of the stream,
            as after an outage; minus infinity before that.
    """

    def __init__(self, least_delay_s: float = 0.0) -> None:
        self._least = least_delay_s
        self.statistics = PlayoutStatistics()
        self._lateness = Lateness()
        self._waiting: deque[Sound] = deque()
        self._buffered = 0
        self._next: int | None = None  # sample of the stream that is played next
        self.block_s = 0.0
        self.resumed = -math.inf
        self._began = -math.inf  # when the stream began
        self._budget = 0.0  # samples that may be added or removed now
        self._playing = False
        self._tail = np.zeros(0, np.float32)

    @property
    def target_s(self) -> float:
        """The delay that playing aims at, from a sample's own time to its playing; it includes the
        difference of the two clocks. A loudspeaker takes a whole block at once, so all of the block
        must be here when its first sample is due.
        """
        delay = self._lateness.delay_s
        return self._least if delay is None else max(delay + self.block_s, self._least)

    @property
    def buffered_s(self) -> float:
        """How many seconds of sound wait."""
        return self._buffered / SAMPLE_RATE

    def position(self) -> float | None:
        """Stream time in seconds of the sample that is played next; None before any sound."""
        return None if self._next is None else self._next / SAMPLE_RATE

    def push(self, pcm: Sound, start: int, now: float, *, timely: bool = True) -> None:
        """Take decoded sound.

        Args:
            pcm: float32 mono `[n]` at 16 kHz.
            start: sample of the stream's clock at which it begins; rising from piece to piece.
            now: seconds of this side's clock.
            timely: whether it came as soon as it could. Sound that was made up, and a pause that
                was told late, say nothing about how late sound is. Nor does the last piece before a
                pause, because the sender may have waited in vain for more; so a piece counts only
                when another one follows it.
        """
        if not len(pcm):
            return
        self._lateness.count(start, len(pcm), now, timely=timely)
        self._append(self._fitted(pcm, start, now))
        excess = self._buffered - int(_MOST_S * SAMPLE_RATE)
        if excess > 0:
            self.statistics.skipped += len(self._take(excess))

    def _fitted(self, pcm: Sound, start: int, now: float) -> Sound:
        """A piece without what was there already, behind the silence that is missing before it."""
        if self._next is None:
            self._next, self._began = start, now
        gap = start - (self._next + self._buffered)
        if abs(gap) > _FAR_S * SAMPLE_RATE:
            self._jump(start)
            self.resumed = now
            return pcm
        if gap < 0:
            late = min(-gap, len(pcm))
            self.statistics.skipped += late
            return pcm[late:]
        if gap > 0 and not self._buffered:
            self._next, self._playing = start, False  # after a pause; it begins when it is due
            return pcm
        return np.concatenate([np.zeros(gap, np.float32), pcm])

    def pull(self, count: int, now: float) -> Sound:
        """The next samples for the loudspeaker.

        Args:
            count: samples at 16 kHz.
            now: seconds of this side's clock.

        Returns:
            float32 mono `[count]`, with silence for what is not there in time.
        """
        self.statistics.played += count
        self.block_s = count / SAMPLE_RATE
        self._budget = min(self._budget + _PACE * count, _PACE * SAMPLE_RATE)
        if not self._playing and not self._is_due(now):
            self.statistics.silent += count
            return np.zeros(count, np.float32)
        self._playing = True
        self._keep_delay(count, now)
        out = self._take(count)
        self._tail = np.concatenate([self._tail, out])[-LEAST_SAMPLES:]
        missing = count - len(out)
        if missing:
            self._playing = False  # begin anew once there is enough again
            self.statistics.silent += missing
            out = np.concatenate([_fade_out(out), np.zeros(missing, np.float32)])
        return out

    def _is_due(self, now: float) -> bool:
        """Whether the first sample that waits should be played by now."""
        if self._next is None or not self._buffered:
            return False
        return now - self._next / SAMPLE_RATE >= self.target_s

    def _keep_delay(self, count: int, now: float) -> None:
        """Bring the delay nearer to its target, as far as the pace allows."""
        if self._next is None:
            return
        off = now - self._next / SAMPLE_RATE - self.target_s
        if off > (_CUT_NEW_S if now - self._began < _NEW_S else _CUT_S):
            self._cut(min(int(off * SAMPLE_RATE), self._buffered - count - _FADE))
            return
        if -_TOO_SHORT_S <= off <= _TOO_LONG_S or self._budget < LEAST_SAMPLES / 2:
            return
        piece = self._take(max(LEAST_SAMPLES, count))
        changed = shorten(piece) if off > 0 else lengthen(self._tail, piece)
        difference = len(changed) - len(piece)
        self._budget -= abs(difference)
        self.statistics.stretched += difference
        self._put_back(changed)  # it is still to be played, and takes so long

    def _cut(self, count: int) -> None:
        """Leave out so many samples, and fade from them to what follows within 10 ms."""
        if count < _FADE:
            return
        left_out, follows = self._take(count), self._take(_FADE)
        self.statistics.skipped += count
        rising = np.linspace(0, 1, _FADE, dtype=np.float32)
        self._put_back(np.asarray(left_out[:_FADE] * (1 - rising) + follows * rising, np.float32))

    def _put_back(self, pcm: Sound) -> None:
        """Put a piece back, so that it is played next."""
        self._waiting.appendleft(pcm)
        self._buffered += len(pcm)
        if self._next is not None:
            self._next -= len(pcm)

    def _take(self, count: int) -> Sound:
        """Take up to `count` samples from the front."""
        parts: list[Sound] = []
        left = count
        while left and self._waiting:
            piece = self._waiting.popleft()
            if len(piece) > left:
                self._waiting.appendleft(piece[left:])
                piece = piece[:left]
            parts.append(piece)
            left -= len(piece)
        out = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        self._buffered -= len(out)
        if self._next is not None:
            self._next += len(out)
        return np.asarray(out, np.float32)

    def _append(self, pcm: Sound) -> None:
        if len(pcm):
            self._waiting.append(pcm)
            self._buffered += len(pcm)

    def _jump(self, start: int) -> None:
        """Go on at another time of the stream: after an outage, or when the sender began anew."""
        self.statistics.skipped += self._buffered
        self._waiting.clear()
        self._buffered = 0
        self._next = start
        self._playing = False
        self._lateness.begin_anew()


def _fade_out(pcm: Sound) -> Sound:
    """Let the end of a piece fade to zero within 10 ms, so that there is no click."""
    count = min(len(pcm), _FADE)
    if not count:
        return pcm
    share = np.linspace(1, 0, count, dtype=np.float32)
    return np.concatenate([pcm[: len(pcm) - count], pcm[len(pcm) - count :] * share])
