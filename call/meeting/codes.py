"""Two codes that take the place of a server: one side sends a code by any messenger, and the other
sends one back.

A code begins with `FW1.` (the first one) or `FW2.` (the one that comes back), and base64url
follows. The first holds the room, the secret and the sealed offer, the second the sealed answer;
both end with a checksum, which shows if a code was cut or mistyped. Whoever can read the messenger
can read the codes too, and could put himself between the two; the words that both read to each
other then differ.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from ...codec.errors import LinkError
from .link import SECRET_BYTES, Link
from .sealing import MAX_SEALED

__all__ = ["AnswerCode", "OfferCode", "is_offer"]

_NOWHERE = "http://localhost:1"  # a link needs an address, but nobody is asked there
_CHECK = 4
_LONGEST = MAX_SEALED * 2
_ROOM_BYTES = 9


@dataclass(frozen=True, slots=True)
class OfferCode:
    """The first code.

    Attributes:
        link: room and secret; its server does not exist.
        sealed: the offer.
    """

    link: Link
    sealed: bytes

    @classmethod
    def nowhere(cls) -> Link:
        """Make the room and the secret of a new call without a server."""
        return Link.make(_NOWHERE)

    def __str__(self) -> str:
        room = base64.urlsafe_b64decode(self.link.room)
        return _code("FW1", room + self.link.secret + self.sealed)

    @classmethod
    def parse(cls, text: str) -> OfferCode:
        """Read the first code. Raises `LinkError` if it is something else, cut or mistyped."""
        data = _data("FW1", text)
        head = _ROOM_BYTES + SECRET_BYTES
        if len(data) <= head:
            raise LinkError("this code is too short")
        room = base64.urlsafe_b64encode(data[:_ROOM_BYTES]).decode()
        return cls(Link(_NOWHERE, room, data[_ROOM_BYTES:head]), data[head:])


@dataclass(frozen=True, slots=True)
class AnswerCode:
    """The second code.

    Attributes:
        sealed: the answer.
    """

    sealed: bytes

    def __str__(self) -> str:
        return _code("FW2", self.sealed)

    @classmethod
    def parse(cls, text: str) -> AnswerCode:
        """Read the second code. Raises `LinkError` if it is something else, cut or mistyped."""
        return cls(_data("FW2", text))


def is_offer(text: str) -> bool:
    """Whether a text looks like the first code."""
    return text.strip().startswith("FW1.")


def _code(kind: str, data: bytes) -> str:
    return f"{kind}.{base64.urlsafe_b64encode(data + _sum(kind, data)).decode().rstrip('=')}"


def _data(kind: str, text: str) -> bytes:
    letters = re.sub(r"\s", "", text)  # messengers break long lines
    if not letters.startswith(f"{kind}."):
        which = {"FW1": "the first code of a call", "FW2": "the code that answers yours"}[kind]
        raise LinkError(f"this is not {which}, which begins with {kind}.")
    body = letters[4:]
    if len(body) > _LONGEST or not re.fullmatch(r"[A-Za-z0-9_-]*", body):
        raise LinkError("the code has letters that do not belong to it: copy it alone")
    try:
        data = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        data = b""
    if len(data) < _CHECK or data[-_CHECK:] != _sum(kind, data[:-_CHECK]):
        raise LinkError("letters of the code are missing or wrong: copy all of it")
    return data[:-_CHECK]


def _sum(kind: str, data: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + data).digest()[:_CHECK]
