"""What a call's rate buys: how good the sound is, and how long packets last."""

from __future__ import annotations

__all__ = ["sound_bitrate", "together_ms"]

_SOUND = ((0, 5000), (8, 6000), (12, 8000), (16, 10_000), (24, 12_000), (32, 14_000), (48, 18_000))
_BEST_SOUND = (64, 24_000)
_LONG, _MIDDLE = 20, 32  # kbit/s below which packets last 120 and 80 ms


def sound_bitrate(kbps: float) -> int:
    """Bits a second of sound where everything together has so many kbit/s. Sound comes first: at
    8 kbit/s it takes all but what the coarsest motion needs.
    """
    return max(bits for least, bits in (*_SOUND, _BEST_SOUND) if least <= kbps)


def together_ms(kbps: float | None) -> int:
    """Milliseconds that packets of sound and motion last: the fewer bits, the more headers count.
    None: no rate is set.
    """
    if kbps is None:
        return 40
    return 120 if kbps < _LONG else 80 if kbps < _MIDDLE else 40
