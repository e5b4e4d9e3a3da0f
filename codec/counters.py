"""16-bit counters: packets carry numbers modulo 65536, and `nearest` gives the full number."""

from __future__ import annotations

__all__ = ["WRAP", "nearest"]

WRAP = 1 << 16
"""Sequence numbers and time stamps in packets count modulo this."""


def nearest(value: int, known: int) -> int:
    """The full number that equals `value` modulo 65536 and is nearest to `known` (RFC 3550, A.1).

    Args:
        value: as a packet carries it, 0 to 65535; higher bits are ignored.
        known: a full number nearby, for example that of the packet before.

    Returns:
        A number from `known - 32768` to `known + 32767`. In ticks of a millisecond that is half a
        minute each way.
    """
    return known + (value - known + WRAP // 2) % WRAP - WRAP // 2
