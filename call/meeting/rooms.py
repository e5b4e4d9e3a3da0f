"""`Rooms`: what a rendezvous server keeps, in memory only, and only for ten minutes.

A room is for one call. One side opens it with a sealed offer. One guest enters, with the proof that
he has the link, takes the offer and leaves a sealed answer. The first side takes the answer away.
Then the room is empty; only its name is kept until its ten minutes are over, so that a second guest
is told that the link was used. Nothing here reads a clock: `now` is seconds of a monotonic clock.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from .link import ROOM

__all__ = ["Limits", "Refused", "Rooms"]

OFFER_BYTES = 8192
"""Largest offer or answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a server accepts.

    Attributes:
        rooms: how many rooms exist at the same time, used ones included.
        rooms_each: the same for one address.
        seconds: how long a room lasts.
        connections: how many are open at the same time.
        connections_each: the same for one address.
        burst: how many requests of one address may come at once.
        rate: how many requests a second may come from one address after that.
        request_s: seconds in which a request must have arrived.
        wait_s: seconds for which a request for an answer waits.
    """

    rooms: int = 10_000
    rooms_each: int = 20
    seconds: float = 600.0
    connections: int = 2000
    connections_each: int = 40
    burst: int = 60
    rate: float = 2.0
    request_s: float = 10.0
    wait_s: float = 25.0


class Refused(Exception):
    """A request that is not granted.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(slots=True)
class _Room:
    """Attributes: see `Rooms`. `owner` is a hash of the address that opened it."""

    ends: float
    owner: bytes
    door: bytes
    maker: bytes
    offer: bytes | None
    guest: bytes | None = None
    answer: bytes | None = None


class Rooms:
    """All rooms of a server.

    Args:
        limits: see `Limits`.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._rooms: OrderedDict[str, _Room] = OrderedDict()  # the oldest first
        self._owned: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._rooms)

    def open(self, name: str, door: bytes, offer: bytes, owner: bytes, now: float) -> bytes:
        """Open a room.

        Args:
            name: see `link.ROOM`.
            door: 32 bytes, SHA-256 of what a guest must show.
            offer: 1 to `OFFER_BYTES` bytes.
            owner: what stands for the address that asks.
            now: seconds.

        Returns:
            16 bytes by which the maker of the room proves itself from now on.

        Raises:
            Refused: 400, 409 (there is such a room), 413, 429 (too many of this address), 503
                (too many of all).
        """
        self.expire(now)
        _check(name, offer)
        if len(door) != 32:
            raise Refused(400, "the proof that opens a room has 32 bytes")
        if name in self._rooms:
            raise Refused(409, "there is a room of this name")
        if self._owned.get(owner, 0) >= self._limits.rooms_each:
            raise Refused(429, "too many rooms of one address")
        if len(self._rooms) >= self._limits.rooms:
            raise Refused(503, "all rooms are taken")
        maker = secrets.token_bytes(16)
        self._rooms[name] = _Room(now + self._limits.seconds, owner, door, maker, offer)
        self._owned[owner] = self._owned.get(owner, 0) + 1
        return maker

    def enter(self, name: str, proof: bytes, now: float) -> tuple[bytes, bytes]:
        """Come in as the guest.

        Args:
            name: of the room.
            proof: its SHA-256 is the room's door.
            now: seconds.

        Returns:
            The offer, and 16 bytes by which the guest proves itself from now on.

        Raises:
            Refused: 403 (another secret), 404 (no such room), 410 (somebody came before).
        """
        room = self._find(name, now)
        if not hmac.compare_digest(hashlib.sha256(proof).digest(), room.door):
            raise Refused(403, "this is not the secret of the room")
        if room.offer is None:
            raise Refused(410, "somebody came in with this link before")
        offer, room.offer, room.guest = room.offer, None, secrets.token_bytes(16)
        return offer, room.guest

    def reply(self, name: str, guest: bytes, answer: bytes, now: float) -> None:
        """Leave the answer. Raises `Refused`: 400, 403 (also after an answer), 404, 413."""
        _check(name, answer)
        room = self._find(name, now)
        if room.guest is None or not hmac.compare_digest(guest, room.guest):
            raise Refused(403, "only the guest of the room can answer, and only once")
        room.answer, room.guest = answer, None

    def take(self, name: str, maker: bytes, now: float) -> bytes | None:
        """Give the answer out, once; None while there is none. Raises `Refused`: 403, 404."""
        room = self._find(name, now)
        if not hmac.compare_digest(maker, room.maker):
            raise Refused(403, "only the maker of the room can take the answer")
        answer, room.answer = room.answer, None
        if answer is not None:
            room.maker = secrets.token_bytes(16)  # known to nobody: it is over
        return answer

    def close(self, name: str, maker: bytes, now: float) -> None:
        """Close a room; its name stays used. Raises `Refused`: 403, 404."""
        room = self._find(name, now)
        if not hmac.compare_digest(maker, room.maker):
            raise Refused(403, "only the maker of the room can close it")
        room.offer = room.guest = room.answer = None

    def expire(self, now: float) -> None:
        """Forget rooms whose time is over."""
        while self._rooms:
            name, room = next(iter(self._rooms.items()))
            if room.ends > now:
                return
            del self._rooms[name]
            self._owned[room.owner] -= 1
            if not self._owned[room.owner]:
                del self._owned[room.owner]

    def _find(self, name: str, now: float) -> _Room:
        self.expire(now)
        room = self._rooms.get(name)
        if room is None:
            raise Refused(404, "there is no such room: its ten minutes are over, or it never was")
        return room


def _check(name: str, message: bytes) -> None:
    if not ROOM.fullmatch(name):
        raise Refused(400, "this is not a name of a room")
    if not message:
        raise Refused(400, "an empty message")
    if len(message) > OFFER_BYTES:
        raise Refused(413, f"a message has at most {OFFER_BYTES} bytes")
