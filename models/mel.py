"""Log-mel spectrogram of the sound around a frame (AVFR-GAN section 3, "Audio-conditioned").

80 bands at 16 kHz, from Hann windows of 25 ms every 10 ms. A frame is conditioned on 200 ms of
sound: 20 steps, centred on it. All steps lie on one grid of 10 ms that begins with the sound, so
that a stream computes each of them once.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..codec.sound.opus import SAMPLE_RATE

__all__ = ["HOP", "MEL_BANDS", "MEL_STEPS", "SAMPLE_RATE", "SILENCE", "log_mel", "mel_window"]

MEL_BANDS = 80
MEL_STEPS = 20
HOP = 160
_WINDOW = 400
_FFT = 512
_FLOOR = 1e-5
_HANN = np.hanning(_WINDOW)

Array = npt.NDArray[np.float32]


def _scale(power: npt.NDArray[np.float64]) -> Array:
    """Log power to about [-1, 1]: -1 is silence, 0 is quiet speech."""
    return np.asarray(np.log10(np.maximum(power, _FLOOR)) / 2.5 + 1.0, np.float32)


SILENCE = float(_scale(np.zeros(1))[0])
"""Value of a step without sound."""


@lru_cache(maxsize=1)
def _filterbank() -> npt.NDArray[np.float64]:
    """Triangular HTK mel filters, `[257, 80]`, 50 Hz to 8 kHz, unit peak."""
    mel = np.linspace(2595 * np.log10(1 + 50 / 700), 2595 * np.log10(1 + 8000 / 700), MEL_BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(_FFT // 2 + 1) * SAMPLE_RATE / _FFT
    rise = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rise, fall))


def log_mel(pcm: Array) -> Array:
    """All steps of a sound: float32 mono `[n]` on [-1, 1] → float32 `[ceil(n / 160), 80]`.

    Step k covers the 25 ms centred on sample 160 k + 80. Outside of the sound there is silence.
    """
    steps = -(-len(pcm) // HOP)
    if steps == 0:
        return np.zeros((0, MEL_BANDS), np.float32)
    before = (_WINDOW - HOP) // 2
    padded = np.zeros(before + steps * HOP + _WINDOW, np.float64)
    padded[before : before + len(pcm)] = pcm
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[: steps * HOP : HOP]
    spectrum = np.fft.rfft(frames * _HANN, _FFT)
    return _scale((spectrum.real**2 + spectrum.imag**2) @ _filterbank())


def window_start(centre_sample: int) -> int:
    """First step of the window of a frame that is shown at this sample."""
    return round(centre_sample / HOP) - MEL_STEPS // 2


def mel_window(steps: Array, centre_sample: int, lookahead_ms: int = 100) -> Array:
    """The window of one frame.

    Args:
        steps: `log_mel` of the sound, float32 `[n, 80]`.
        centre_sample: presentation time of the frame in samples.
        lookahead_ms: how much sound after the frame may be used (paper: 100); the rest of the
            window is silence.

    Returns:
        float32 `[80, 20]`; the frame lies between steps 9 and 10.
    """
    start = window_start(centre_sample)
    last = start + MEL_STEPS // 2 + max(0, min(lookahead_ms, 100)) // 10
    window = np.full((MEL_STEPS, MEL_BANDS), SILENCE, np.float32)
    low, high = max(start, 0), min(last, len(steps))
    if high > low:
        window[low - start : high - start] = steps[low:high]
    return window.T.copy()
