"""`Unwrapper`: 16-bit counters back to full numbers."""

from __future__ import annotations

__all__ = ["WRAP", "Unwrapper"]

WRAP = 1 << 16
"""Sequence numbers and time stamps on the wire count modulo this."""


class Unwrapper:
    """Takes each 16-bit value for the full number nearest to the last one (RFC 3550, A.1).

    So a counter may jump by up to 32,767 forwards or 32,768 backwards (late packets); in ticks of
    1/1000 s that is half a minute.

    Args:
        start: full number that the first value is nearest to.
    """

    def __init__(self, start: int = 0) -> None:
        self._last = start

    def unwrap(self, value: int) -> int:
        """Full number of `value` (0..65535; higher bits are ignored)."""
        self._last += (value - self._last + WRAP // 2) % WRAP - WRAP // 2
        return self._last

    def reset(self, full: int = 0) -> None:
        """Continue from the full number `full` (a keyframe tells it)."""
        self._last = full
