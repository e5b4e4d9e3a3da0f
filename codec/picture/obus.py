"""What AV1 data holds, without decoding it: its open bitstream units (AV1 specification, 5.3)."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["begins_sequence", "count_frames", "count_shown"]

_SEQUENCE, _FRAMES = 1, (3, 6)
_EXISTING, _SHOW = 0x80, 0x10


def count_frames(data: bytes) -> int:
    """How many frames the data holds. A decoder would decode them all at once."""
    return sum(kind in _FRAMES for kind, _ in _units(data))


def count_shown(data: bytes) -> int:
    """How many frames of a video the data shows. The others are kept to be shown later. (AV1
    specification, 5.9.2: `show_existing_frame`, `frame_type` of two bits, `show_frame`. A sequence
    with `reduced_still_picture_header` has none of these.)
    """
    return sum(
        kind in _FRAMES and bool(first & _EXISTING or first & _SHOW) for kind, first in _units(data)
    )


def begins_sequence(data: bytes) -> bool:
    """Whether the data holds a sequence header."""
    return any(kind == _SEQUENCE for kind, _ in _units(data))


def _units(data: bytes) -> Iterator[tuple[int, int]]:
    """Type of each unit (1 begins a sequence, 3 and 6 a frame), and the first byte in it, 0 if it
    has none.
    """
    at = 0
    while at < len(data):
        head = data[at]
        kind = head >> 3 & 15
        at += 2 if head & 4 else 1
        if not head & 2:  # without a size it is the last
            yield kind, data[at] if at < len(data) else 0
            return
        size = 0
        for shift in range(0, 56, 7):
            byte = data[at] if at < len(data) else 0
            at += 1
            size |= (byte & 127) << shift
            if byte < 128:
                break
        yield kind, data[at] if size and at < len(data) else 0
        at += size
