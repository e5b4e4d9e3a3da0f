"""`Party`: what a conversation needs of a session. `CallSession` is one; tests have a small one."""

from __future__ import annotations

from typing import Protocol

from ..codec.control import State
from ..receiver.outputs import PictureOutput
from ..receiver.tracks.pictures import DuePicture
from .devices.ports import Frame, Sound
from .session import CallStatistics

__all__ = ["Party"]


class Party(Protocol):
    """See `CallSession`, whose methods these are."""

    state: State

    @property
    def peer_state(self) -> State | None:
        """What the other side says of its camera and microphone."""

    @property
    def next_time(self) -> float:
        """When `send` is to be called again."""

    @property
    def statistics(self) -> CallStatistics:
        """What the call is like."""

    def see(self, frame: Frame, now: float) -> None:
        """A picture of the camera."""

    def hear(self, pcm: Sound, now: float) -> None:
        """Sound of the microphone."""

    def receive(self, datagram: bytes, now: float) -> None:
        """A datagram of the other side."""

    def send(self, now: float) -> list[bytes]:
        """Datagrams that are to leave."""

    def choose(self, now: float) -> DuePicture | None:
        """A picture that is due."""

    def render(self, due: DuePicture) -> PictureOutput | None:
        """Make it; may be called in another thread."""

    def sound(self, count: int, now: float) -> Sound:
        """Sound of the other side."""

    def set_ceiling(self, kbps: float, now: float) -> None:
        """Send at most so much."""

    def leave(self, now: float) -> list[bytes]:
        """Say goodbye."""

    def close(self) -> None:
        """Free everything."""
