"""Sound of any number of channels as one.

The weights are those of ITU-R BS.775 (centre 1, front 0.71, surround 0.5, no low-frequency
channel), divided by their sum: so what is not clipped before is not clipped after, and a voice that
is equal in both channels keeps its level.
"""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import numpy.typing as npt

__all__ = ["SILENCE", "Balance", "channels", "mono", "weights"]

Samples = npt.NDArray[np.float32]

SILENCE = 0.001
"""Peak (-60 dB of full scale) up to which a track counts as silent."""
_FRONT, _SURROUND = 0.7071, 0.5
_WEIGHTS = {"FC": 1.0, "FL": _FRONT, "FR": _FRONT, "LFE": 0.0, "LFE2": 0.0}
_CANCELLED = 0.1  # energy of the mix, against that of channels that have nothing in common


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


def mono(frame: av.AudioFrame, side: int | None = None) -> Samples:
    """A frame mixed to one channel, float32 `[n]`.

    Args:
        frame: decoded sound of any format.
        side: the only channel to take (counted from 0), or None for all.
    """
    pcm = channels(frame)
    if side is not None and side < len(pcm):
        return np.asarray(pcm[side], np.float32)
    mixed = weights([channel.name for channel in frame.layout.channels]) @ pcm
    return np.asarray(mixed, np.float32)


class Balance:
    """What the channels of a track have in common, from the frames that are given.

    Attributes:
        peak: half the largest swing within a frame: 1 at full scale.
        heard_s: seconds of frames that are not silent.
        seconds: of all frames.
    """

    def __init__(self) -> None:
        self.peak = self.heard_s = self.seconds = 0.0
        self._mixed = self._apart = 0.0
        self._energy = np.zeros(0)

    def push(self, frame: av.AudioFrame) -> None:
        """Take the next frame."""
        pcm = channels(frame)
        share = weights([channel.name for channel in frame.layout.channels])
        passed = frame.samples / max(frame.sample_rate, 1)
        # Without a constant, which some sound cards add and nobody hears.
        peak = float(np.ptp(pcm, axis=1).max(initial=0)) / 2 if frame.samples else 0.0
        self.peak = max(self.peak, peak)
        self.seconds += passed
        if peak <= SILENCE:
            return
        self.heard_s += passed
        energy = np.square(pcm, dtype=np.float64).sum(1)
        if len(energy) != len(self._energy):
            self._energy, self._mixed, self._apart = np.zeros(len(energy)), 0.0, 0.0
        self._energy += energy
        self._mixed += float(np.square(share @ pcm, dtype=np.float64).sum())
        self._apart += float(np.square(share) @ energy)

    @property
    def side(self) -> int | None:
        """The loudest channel where a mix of all would cancel out, else None."""
        if not self._energy.any() or self._mixed > _CANCELLED * self._apart:
            return None
        return int(self._energy.argmax())
