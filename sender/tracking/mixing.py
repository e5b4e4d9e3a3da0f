"""Sound of any number of channels as one.

The weights are those of ITU-R BS.775 (centre 1, front 0.71, surround 0.5, no low-frequency
channel), divided by their sum: so what is not clipped before is not clipped after, and a voice that
is equal in both channels keeps its level. Where such a mix would cancel out, one channel is taken.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

__all__ = ["SILENCE", "Mixed", "Mixer", "channels", "heard_s", "weights"]

Samples = npt.NDArray[np.float32]

SILENCE = 0.001
"""Peak (-60 dB of full scale) up to which a track counts as silent."""
_FRONT, _SURROUND = 0.7071, 0.5
_WEIGHTS = {"FC": 1.0, "FL": _FRONT, "FR": _FRONT, "LFE": 0.0, "LFE2": 0.0}
_CANCELLED = 0.1  # energy of the mix, against that of channels that have nothing in common
_WINDOW_S = 0.4  # of sound, over which the channels cancel out or do not
_LEAST_S = 0.1  # of which must be audible, to tell
_BLOCK_S = 0.02
_RAMP_S = 0.01  # from one mix to another, so that nothing clicks


def weights(names: list[str]) -> Samples:
    """Weight of each channel, float32 `[channels]`, at least 0, with sum 1.

    Args:
        names: FFmpeg's short names ("FL", "LFE"); those without a place in a room count alike.
    """
    known = {"FL", "FR", "FC"} & set(names)
    found = np.array([_WEIGHTS.get(name, _SURROUND) if known else 1.0 for name in names])
    if not found.any():
        found[:] = 1
    return np.asarray(found / found.sum(), np.float32)


def channels(frame: av.AudioFrame) -> Samples:
    """The samples of a frame, float32 `[channels, n]`; full scale is 1, no number is infinite."""
    raw: npt.NDArray[Any] = frame.to_ndarray()
    if frame.format.is_packed:
        raw = raw.reshape(-1, len(frame.layout.channels)).T
    if raw.dtype == np.uint8:
        return np.asarray((raw.astype(np.float32) - 128) / 128, np.float32)
    if raw.dtype.kind == "i":
        return np.asarray(raw / 2.0 ** (8 * raw.dtype.itemsize - 1), np.float32)
    return np.asarray(np.nan_to_num(raw, posinf=1.0, neginf=-1.0), np.float32)


def heard_s(frame: av.AudioFrame) -> float:
    """Seconds of a frame, or 0 where it is silent but for a constant (as of some sound cards)."""
    swing = float(np.ptp(channels(frame), axis=1).max(initial=0)) if frame.samples else 0.0
    return frame.samples / max(frame.sample_rate, 1) if swing / 2 > SILENCE else 0.0


@dataclass(frozen=True, slots=True)
class Mixed:
    """A frame as one channel.

    Attributes:
        pcm: float32 `[n]`.
        rate: samples a second.
        time: of its first sample in seconds; None where that is not known.
        jumped: as it was given.
    """

    pcm: Samples
    rate: int
    time: Fraction | None
    jumped: bool


@dataclass(slots=True)
class _Frame:
    """A frame that is not mixed yet; `bounds` are the first samples of its blocks."""

    pcm: Samples
    rate: int
    time: Fraction | None
    jumped: bool
    share: Samples
    bounds: list[int]
    sides: list[int | None]
    undecided: int


@dataclass(slots=True)
class _Block:
    """A piece of a frame.

    Attributes:
        energies: of each channel, with its weight in the mix.
        apart, mixed: energy of the mix if the channels had nothing in common, and as it is.
    """

    frame: _Frame
    number: int
    lasts: float
    heard: bool
    energies: npt.NDArray[np.float64]
    apart: float
    mixed: float


class Mixer:
    """Mixes frames to one channel, each of them 0.4 s after it came.

    A block of 20 ms is taken from one channel alone if it lies in 0.4 s whose mix would cancel out:
    from the first that is within 3 dB of the loudest. Weights change within 10 ms.

    Attributes:
        cancelled: seconds at which the channels first cancel each other out, or None.
    """

    def __init__(self) -> None:
        self.cancelled: Fraction | None = None
        self._frames: deque[_Frame] = deque()
        self._window: deque[_Block] = deque()
        self._lasts = 0.0
        self._side: int | None = None
        self._now: Samples = np.zeros(0, np.float32)  # the weights of the last sample

    def push(self, frame: av.AudioFrame, jumped: bool = False) -> Iterator[Mixed]:
        """The next frame of any format, and whether it comes from another recording."""
        pcm, rate = channels(frame), max(frame.sample_rate, 1)
        share = weights([channel.name for channel in frame.layout.channels])
        time = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 1)
        if self._frames and len(self._frames[-1].pcm) != len(pcm):
            self._decide_all()
        count = math.ceil(pcm.shape[1] / rate / _BLOCK_S) if len(pcm) > 1 else 0
        bounds = [n * pcm.shape[1] // count for n in range(count)]
        made = _Frame(pcm, rate, time, jumped, share, bounds or [0], [None] * max(count, 1), count)
        self._frames.append(made)
        for block in _blocks(made) if count else ():
            self._look(block)
        yield from self._decided()

    def flush(self) -> Iterator[Mixed]:
        """What is still held back."""
        self._decide_all()
        yield from self._decided()

    def _look(self, block: _Block) -> None:
        self._window.append(block)
        self._lasts += block.lasts
        while self._lasts - self._window[0].lasts >= _WINDOW_S:
            self._decide()
        window = self._window
        mixed, apart = sum(one.mixed for one in window), sum(one.apart for one in window)
        heard = sum(one.lasts for one in window if one.heard)
        if heard < _LEAST_S or mixed > _CANCELLED * apart:
            self._side = None
            return
        if self._side is None:  # else it is as loud as it was a moment ago
            energies = np.sum([one.energies for one in window], axis=0)
            self._side = int((energies >= energies.max() / 2).argmax())
        for one in window:
            if one.frame.sides[one.number] is None:
                one.frame.sides[one.number] = self._side
        if self.cancelled is None:
            first = window[0]
            start = Fraction(first.frame.bounds[first.number], first.frame.rate)
            self.cancelled = start + (first.frame.time or 0)

    def _decide(self) -> None:
        first = self._window.popleft()
        first.frame.undecided -= 1
        self._lasts -= first.lasts

    def _decide_all(self) -> None:
        while self._window:
            self._decide()
        self._lasts, self._side = 0.0, None

    def _decided(self) -> Iterator[Mixed]:
        while self._frames and not self._frames[0].undecided:
            frame = self._frames.popleft()
            yield Mixed(self._mix(frame), frame.rate, frame.time, frame.jumped)

    def _mix(self, frame: _Frame) -> Samples:
        if len(self._now) != len(frame.pcm):
            self._now = _weights_of(frame, 0)
        wanted = [_weights_of(frame, number) for number in range(len(frame.sides))]
        if all(np.array_equal(self._now, each) for each in wanted):
            return np.asarray(self._now @ frame.pcm, np.float32)
        parts = []
        for pcm, after in zip(np.split(frame.pcm, frame.bounds[1:], axis=1), wanted, strict=True):
            ramp = np.arange(pcm.shape[1], dtype=np.float32) / max(_RAMP_S * frame.rate, 1)
            change = (after - self._now)[:, None] * ramp.clip(max=1)
            parts.append(((self._now[:, None] + change) * pcm).sum(0))
            self._now = after
        return np.asarray(np.concatenate(parts), np.float32)


def _weights_of(frame: _Frame, number: int) -> Samples:
    """Weight of each channel in a block of a frame."""
    side = frame.sides[number]
    return frame.share if side is None else np.eye(len(frame.share), dtype=np.float32)[side]


def _blocks(frame: _Frame) -> Iterator[_Block]:
    weighted = frame.share[:, None] * frame.pcm
    both = np.concatenate([weighted, weighted.sum(0, keepdims=True)]).astype(np.float64)
    counts = np.diff([*frame.bounds, frame.pcm.shape[1]])
    # Without constants, which nobody hears.
    energies = np.add.reduceat(both * both, frame.bounds, axis=1)
    energies -= np.square(np.add.reduceat(both, frame.bounds, axis=1)) / counts
    high, low = (
        pick.reduceat(frame.pcm, frame.bounds, axis=1) for pick in (np.maximum, np.minimum)
    )
    heard = (high - low).max(0) / 2 > SILENCE
    for number, count in enumerate(counts.tolist()):
        each = energies[:-1, number].clip(min=0)
        mixed = max(float(energies[-1, number]), 0.0)
        lasts = count / frame.rate
        yield _Block(frame, number, lasts, bool(heard[number]), each, float(each.sum()), mixed)
