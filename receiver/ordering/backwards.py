"""`Backwards`: notices that the time of a stream went back.

Packets come in the order in which they were sent, so their times rise. One packet whose time is far
behind may be damaged; or the one before it was, and said a time that is still to come. Three in a
row say that the time went back, and then it is followed. So a false time costs three packets.
"""

from __future__ import annotations

__all__ = ["Backwards"]

_ROW = 3


class Backwards:
    """Looks at how far each packet is behind.

    Args:
        far: only a packet that is further behind than this counts.
    """

    def __init__(self, far: int) -> None:
        self._far = far
        self._row = 0

    def push(self, behind: int) -> bool:
        """Take how far a packet is behind (negative: ahead); whether the time went back."""
        self._row = self._row + 1 if behind > self._far else 0
        if self._row < _ROW:
            return False
        self._row = 0
        return True
