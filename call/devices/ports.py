"""What a call needs of a camera, a microphone and a loudspeaker, or of files in their place.

None of these methods waits, and none raises because a device is missing, busy or was unplugged:
`events` tells of that, and the call goes on. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["DeviceEvent", "Ear", "Eye", "Frame", "Mouth", "Sound", "Taken"]

Frame = npt.NDArray[np.uint8]
"""A picture, RGB `[H, W, 3]`."""
Sound = npt.NDArray[np.float32]
"""Sound, mono `[n]` at 16 kHz on [-1, 1]."""


class Taken(NamedTuple):
    """A picture of a camera.

    Attributes:
        frame: the picture.
        at: when it was taken.
    """

    frame: Frame
    at: float


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """Something that happened to a device.

    Attributes:
        device: "camera", "microphone" or "loudspeaker".
        works: whether it works from now on.
        sentence: what happened, for people.
    """

    device: str
    works: bool
    sentence: str


class Eye(Protocol):
    """A camera, or what takes its place."""

    def look(self, now: float) -> Taken | None:
        """The newest picture, given once; None where there is no new one."""

    @property
    def ended(self) -> bool:
        """Whether there will never be another one."""

    def events(self) -> list[DeviceEvent]:
        """What happened since the last call."""

    def close(self) -> None:
        """Give the device back. It may be called twice."""


class Ear(Protocol):
    """A microphone."""

    def listen(self, now: float) -> Sound:
        """What was recorded since the last call; `[0]` where there is nothing."""

    @property
    def level(self) -> float:
        """How loud it is now, from 0 (nothing) to 1 (as loud as can be)."""

    def events(self) -> list[DeviceEvent]:
        """What happened since the last call."""

    def close(self) -> None:
        """Give the device back. It may be called twice."""


class Mouth(Protocol):
    """A loudspeaker."""

    def wants(self, now: float) -> int:
        """How many samples it takes now."""

    def play(self, pcm: Sound) -> None:
        """Play sound after what it has."""

    def events(self) -> list[DeviceEvent]:
        """What happened since the last call."""

    def close(self) -> None:
        """Give the device back. It may be called twice."""
