"""What AV1 data holds, without decoding it: its open bitstream units (AV1 specification, 5.3)."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["begins_sequence", "count_frames"]

_SEQUENCE, _FRAMES = 1, (3, 6)


def count_frames(data: bytes) -> int:
    """How many frames the data holds. A decoder would decode them all at once."""
    return sum(kind in _FRAMES for kind in _kinds(data))


def begins_sequence(data: bytes) -> bool:
    """Whether the data holds a sequence header."""
    return any(kind == _SEQUENCE for kind in _kinds(data))


def _kinds(data: bytes) -> Iterator[int]:
    """Types of the units: 1 begins a sequence, 3 and 6 a frame."""
    at = 0
    while at < len(data):
        head = data[at]
        yield head >> 3 & 15
        at += 2 if head & 4 else 1
        if not head & 2:  # without a size it is the last
            return
        size = 0
        for shift in range(0, 56, 7):
            byte = data[at] if at < len(data) else 0
            at += 1
            size |= (byte & 127) << shift
            if byte < 128:
                break
        at += size
