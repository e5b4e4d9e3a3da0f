"""Makes speech a little shorter or longer by whole pitch periods, so that the pitch stays.

The jitter buffers of telephony do the same (WebRTC's NetEQ calls it accelerate and preemptive
expand). Where the signal repeats itself, one period is cross-faded away or repeated; in silence,
any length can be. Where the signal does not repeat itself, nothing is changed, and the caller tries
again with the next piece.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...codec.sound.opus import SAMPLE_RATE

__all__ = ["LEAST_SAMPLES", "lengthen", "shorten"]

Sound = npt.NDArray[np.float32]

_SHORTEST, _LONGEST = SAMPLE_RATE // 400, SAMPLE_RATE // 80  # periods of voices
LEAST_SAMPLES = 2 * _LONGEST
"""A piece that is shortened must have so many samples (25 ms); half of it, and as much sound before
it, do for one that is lengthened."""
_ALIKE = 0.6  # correlation of one period with the next
_SILENT = 10.0 ** (-50 / 20)  # root mean square that counts as silence


def shorten(pcm: Sound) -> Sound:
    """Take one pitch period out of a piece of sound.

    Args:
        pcm: float32 mono `[n]` at 16 kHz.

    Returns:
        float32 `[m]`, 2.5 to 12.5 ms shorter; the same piece where nothing can be taken out
        without being heard, or where it has fewer than `LEAST_SAMPLES` samples. It begins and ends
        as the piece does, so that it fits its neighbours.
    """
    period = _period(pcm, _LONGEST) if len(pcm) >= LEAST_SAMPLES else None
    if period is None:
        return pcm
    start = _LONGEST - period
    one, two = pcm[start:_LONGEST], pcm[_LONGEST : _LONGEST + period]
    return np.concatenate([pcm[:start], _faded(one, two), pcm[_LONGEST + period :]])


def lengthen(before: Sound, pcm: Sound) -> Sound:
    """Repeat the last pitch period of what was played before a piece of sound.

    Args:
        before: float32 mono `[k]` at 16 kHz, at least half of `LEAST_SAMPLES`.
        pcm: float32 `[n]`, which follows it; as long at least.

    Returns:
        float32 `[m]`, 2.5 to 12.5 ms longer than `pcm`; `pcm` itself where nothing can be repeated
        without being heard, or one of the two is too short.
    """
    if min(len(before), len(pcm)) < _LONGEST:
        return pcm
    both = np.concatenate([before[-_LONGEST:], pcm[:_LONGEST]])
    period = _period(both, _LONGEST)
    if period is None:
        return pcm
    # What follows fades into what was played a period ago, after which it follows again.
    return np.concatenate([_faded(pcm[:period], before[-period:]), pcm])


def _faded(start: Sound, end: Sound) -> Sound:
    """Fade from the one to the other, in a straight line."""
    share = np.linspace(0, 1, len(start), dtype=np.float32)
    return np.asarray(start * (1 - share) + end * share, np.float32)


def _period(pcm: Sound, middle: int) -> int | None:
    """The pitch period around a sample, in samples; None if the sound does not repeat itself."""
    if float(np.sqrt(np.mean(pcm**2))) < _SILENT:
        return middle
    best, found = _ALIKE, None
    for lag in range(_SHORTEST, middle + 1):
        one, two = pcm[middle - lag : middle], pcm[middle : middle + lag]
        energy = float(np.sqrt((one @ one) * (two @ two)))
        alike = float(one @ two) / energy if energy > 0 else 0.0
        # A multiple of the period is as alike as the period: the shorter one is preferred.
        if alike > best + 0.01 * (found is not None):
            best, found = alike, lag
    return found
