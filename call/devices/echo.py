"""`EchoCanceller`: removes the loudspeaker's sound from what the microphone hears.

It is WebRTC's, which the package `livekit` brings, and works on pieces of 10 ms. It is optional:
without it, `facewire call` asks for headphones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...codec.sound.opus import SAMPLE_RATE
from .ports import Sound

__all__ = ["EchoCanceller", "open_canceller"]

_PIECE = SAMPLE_RATE // 100
_MOST = SAMPLE_RATE // 2  # played sound that waits for what is heard


class EchoCanceller:
    """Cleans the microphone's sound.

    Args:
        rtc: the module `livekit.rtc`.
    """

    def __init__(self, rtc: Any) -> None:
        self._rtc = rtc
        self._module = rtc.AudioProcessingModule(
            echo_cancellation=True, high_pass_filter=True, noise_suppression=True
        )
        self._near = np.zeros(0, np.float32)
        self._far = np.zeros(0, np.float32)

    def played(self, pcm: Sound) -> None:
        """Take what was given to the loudspeaker."""
        self._far = np.concatenate([self._far, pcm])[-_MOST:]
        whole = len(self._far) // _PIECE * _PIECE
        for piece in self._far[:whole].reshape(-1, _PIECE):
            self._module.process_reverse_stream(self._frame(piece))
        self._far = self._far[whole:]

    def clean(self, pcm: Sound) -> Sound:
        """What the microphone heard, without the loudspeaker. Up to 10 ms stay inside."""
        self._near = np.concatenate([self._near, pcm])
        whole = len(self._near) // _PIECE * _PIECE
        out = []
        for piece in self._near[:whole].reshape(-1, _PIECE):
            frame = self._frame(piece)
            self._module.process_stream(frame)
            out.append(np.frombuffer(frame.data, np.int16).astype(np.float32) / 32767)
        self._near = self._near[whole:]
        return np.concatenate(out) if out else np.zeros(0, np.float32)

    def _frame(self, piece: Sound) -> Any:
        data = (np.clip(piece, -1, 1) * 32767).astype(np.int16)
        return self._rtc.AudioFrame(data.tobytes(), SAMPLE_RATE, 1, _PIECE)


def open_canceller() -> EchoCanceller | None:
    """An echo canceller; None if `livekit` is not installed or does not run here."""
    try:
        from livekit import rtc

        return EchoCanceller(rtc)
    except Exception:  # its native library may fail to load in its own ways
        return None
