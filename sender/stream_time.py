"""`StreamTime`: how many seconds of a call have passed, by the caller's clock or by counting."""

from __future__ import annotations

import math
from fractions import Fraction

from ..codec.errors import ConfigError

__all__ = ["StreamTime"]

_AGAIN = 1.0  # seconds backwards from which the clock is taken to have been set anew
_PAUSE = Fraction(1, 2)  # seconds by which pictures or sound may lag before they count as paused
_EXACT = 10**6


class StreamTime:
    """Seconds since a call began. They never run backwards.

    Attributes:
        clocked: whether a clock says so; None until the first frame or sound.
        seconds: what has passed.
    """

    def __init__(self) -> None:
        self.clocked: bool | None = None
        self.seconds = Fraction(0)
        self._origin = 0.0
        self._held = 0.0  # newest reading
        self._lag = [Fraction(0), Fraction(0)]  # pauses of the pictures and of the sound

    def begin(self, now: float | None, before: Fraction) -> None:
        """The first frame or sound comes, `before` seconds after time 0."""
        self.clocked = now is not None
        if now is not None:
            self._origin = self._held = _checked(now) - float(before)

    def read(self, now: float | None) -> None:
        """Take a reading of the clock. One that is a little earlier than another is held; after a
        jump backwards time goes on from where it was.

        Raises:
            ConfigError: it is no finite number, or earlier calls had a clock and this one has none,
                or the reverse.
        """
        if (now is not None) != self.clocked:
            raise ConfigError("give `now` with every call, or with none")
        if now is None:
            return
        if _checked(now) < self._held - _AGAIN:
            self._origin -= self._held - now
            self._held = now
        if now > self._held:
            self._held = now
            self.seconds = max(self.seconds, self.at(now))

    def at(self, now: float) -> Fraction:
        """Seconds of the call at a reading of the clock; nothing is remembered of it."""
        return Fraction(round((_checked(now) - self._origin) * _EXACT), _EXACT)

    def count(self, pictures: Fraction, sound: Fraction) -> None:
        """Without a clock: time is where pictures or sound end, in seconds of their own. Whichever
        lags has paused, and goes on from the present.
        """
        ends = [pictures + self._lag[0], sound + self._lag[1]]
        self.seconds = max(self.seconds, *ends)
        self._lag = [
            lag + max(self.seconds - end - _PAUSE, Fraction(0))
            for lag, end in zip(self._lag, ends, strict=True)
        ]


def _checked(now: float) -> float:
    if not math.isfinite(now):
        raise ConfigError(f"`now` is seconds of a clock, not {now}")
    return now
