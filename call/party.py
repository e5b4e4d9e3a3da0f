"""`Party`: what a conversation needs of a session. `CallWorkers` is one; tests use a small one."""

from __future__ import annotations

from typing import Protocol

from ..codec.control import State
from ..receiver.outputs import PictureOutput
from .devices.ports import Frame, Sound
from .session import CallStatistics, Transmit
from .signing import PublicKey, SigningKey

__all__ = ["Party"]


class Party(Protocol):
    """See `CallWorkers`, whose methods these are. None of them waits."""

    state: State

    @property
    def peer_state(self) -> State | None:
        """What the other side says of its camera and microphone."""

    @property
    def statistics(self) -> CallStatistics:
        """What the call is like."""

    @property
    def failure(self) -> Exception | None:
        """The error that ended the session's work, None while it works."""

    def bind(self, key: SigningKey, peer: PublicKey, ends: bytes) -> None:
        """Sign what is sent, and show only what the other side signed."""

    def allow_base(self, can_fuse: bool) -> None:
        """Say whether the other side can show a base layer."""

    def start(self, transmit: Transmit) -> None:
        """Begin to send, since the line is there."""

    def see(self, frame: Frame, now: float) -> None:
        """Take a picture of the camera."""

    def hear(self, pcm: Sound, now: float) -> None:
        """Take sound of the microphone."""

    def receive(self, datagram: bytes, now: float) -> None:
        """Take a datagram of the other side."""

    def picture(self, now: float) -> PictureOutput | None:
        """The newest picture of the other side; the same object until there is a newer one."""

    def sound(self, count: int, now: float) -> Sound:
        """The next sound of the other side."""

    def set_ceiling(self, kbps: float) -> None:
        """Send at most so many kbit/s."""

    def leave(self, now: float) -> None:
        """Say goodbye; nothing is sent after it."""

    def close(self) -> None:
        """Free everything."""
