"""What a call's rate buys: how good the sound is, and how long packets last."""

from __future__ import annotations

__all__ = ["sound_bitrate", "together_ms"]

_SOUND = ((0, 5000), (6, 6000), (10, 8000), (14, 10_000), (19, 12_000), (26, 14_000), (40, 18_000))
_BEST_SOUND = (52, 24_000)
_SHORTER = ((120, 0.0, 0.0), (80, 16.0, 12.5), (40, 29.0, 21.0))
"""Milliseconds that packets last; kbit/s from which they do; kbit/s below which they no longer do.
Shorter packets cost more headers, and so leave less for the encoder: without the gap between the
two limits, their length would waver."""


def sound_bitrate(kbps: float) -> int:
    """Bits a second of sound where sound, motion and references together have so many kbit/s. Sound
    comes first: at 6 kbit/s it takes all but what the coarsest motion needs.
    """
    return max(bits for least, bits in (*_SOUND, _BEST_SOUND) if least <= kbps)


def together_ms(kbps: float | None, before: int = 120) -> int:
    """Milliseconds that packets of sound and motion last: the fewer bits, the more headers count.

    Args:
        kbps: of sound, motion and references; None: no rate is set.
        before: what they lasted until now.
    """
    if kbps is None:
        return 40
    stays = [ms for ms, _, until in _SHORTER if ms >= before and kbps >= until]
    return min([*stays, *(ms for ms, since, _ in _SHORTER if kbps >= since)])
