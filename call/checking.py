"""`Checks`: lets in only those STREAM packets and keyframes that the other side signed.

Others are not decoded, and so are never seen. A keyframe may be complete before its signature
comes, because the two may travel in different datagrams: then it waits for a moment.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from ..codec.control import Proof
from ..codec.keyframe import Keyframe
from .signing import PublicKey, of_keyframe, of_stream

__all__ = ["Checks"]

_WAIT_S = 5.0  # that a keyframe waits for its signature
_STREAMS = 4  # payloads that are remembered
_PROVEN = 32  # keyframes that are remembered; their ids repeat after 16


@dataclass(frozen=True, slots=True)
class _Waiting:
    keyframe: Keyframe
    since: float


class Checks:
    """The receiving half of `signing.py`.

    Args:
        key: the public key of the other side.
        ends: see `signing.ends_of`.

    Attributes:
        unproven: number of STREAM packets and keyframes that were dropped, because the other side
            did not sign them.
        proven: number of keyframes that it signed.
    """

    def __init__(self, key: PublicKey, ends: bytes) -> None:
        self._key, self._ends = key, ends
        self.unproven = self.proven = 0
        self._now = 0.0
        self._session = 0
        self._signatures: dict[int, bytes] = {}  # of each id, and of the stream: the newest
        self._waiting: dict[int, _Waiting] = {}
        self._streams: deque[bytes] = deque(maxlen=_STREAMS)
        self._known: deque[bytes] = deque(maxlen=_PROVEN)  # what was signed of keyframes lately

    def follow(self, session: int) -> None:
        """From now on, keyframes belong to the stream with this session number."""
        self._session = session
        self._waiting.clear()

    def take(self, proof: Proof) -> Keyframe | None:
        """Take a signature; returns the keyframe that waited for it, if there is one."""
        self._signatures[proof.of] = proof.signature
        waiting = self._waiting.get(proof.of)
        if waiting is None or not self._is_signed(waiting.keyframe):
            return None
        del self._waiting[proof.of]
        return waiting.keyframe

    def stream(self, payload: bytes) -> bool:
        """Whether the other side signed a STREAM packet. One that it did not sign is counted."""
        if payload in self._streams:
            return True
        signature = self._signatures.get(Proof.STREAM, b"")
        if self._key.has_signed(of_stream(self._ends, payload), signature):
            self._streams.append(payload)
            return True
        self.unproven += 1
        return False

    def admits(self, keyframe: Keyframe) -> bool:
        """Whether the other side signed a keyframe. If no signature is here yet, the keyframe
        waits. One that comes again after its id went to another keyframe is no longer wanted.
        """
        if self._is_signed(keyframe):
            return True
        if self._message(keyframe) in self._known:
            return False
        before = self._waiting.get(keyframe.id)
        if before is None or before.keyframe != keyframe:
            self.unproven += before is not None
            self._waiting[keyframe.id] = _Waiting(keyframe, self._now)
        return False

    def tick(self, now: float) -> None:
        """Drop and count keyframes whose signature has not come in time."""
        self._now = now
        for identity, waiting in list(self._waiting.items()):
            if now - waiting.since > _WAIT_S:
                del self._waiting[identity]
                self.unproven += 1

    def _is_signed(self, keyframe: Keyframe) -> bool:
        message = self._message(keyframe)
        if not self._key.has_signed(message, self._signatures.get(keyframe.id, b"")):
            return False
        self._known.append(message)
        self.proven += 1
        return True

    def _message(self, keyframe: Keyframe) -> bytes:
        return of_keyframe(self._ends, self._session, keyframe.id, bytes(keyframe))
