"""`Photograph`: an eye that always sees the same picture, for a call without a camera."""

from __future__ import annotations

from .ports import DeviceEvent, Frame, Taken

__all__ = ["Photograph"]

_EARLY_S = 0.004  # by which a turn of the program may come before the next picture is due


class Photograph:
    """Gives one picture again and again, at the pace of the clock.

    Args:
        picture: uint8 RGB `[H, W, 3]`.
        fps: pictures a second.
    """

    ended = False

    def __init__(self, picture: Frame, fps: float = 25.0) -> None:
        self._picture, self._step_s = picture, 1 / fps
        self._due = float("-inf")

    def look(self, now: float) -> Taken | None:
        """The picture, if it is time for another one; as if it were taken now."""
        if now < self._due - _EARLY_S:
            return None
        late = now - self._due > self._step_s
        self._due = self._step_s + (now if late else self._due)
        return Taken(self._picture, now)

    def events(self) -> list[DeviceEvent]:
        """Always empty, because pictures do not get unplugged."""
        return []

    def close(self) -> None:
        """There is nothing to give back."""
