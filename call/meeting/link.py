"""`Link`: what one person gives to the other so that they can meet: `https://HOST:PORT/ROOM#SECRET`.

The part after `#` never leaves this program: it is not sent to the server. It is 24 letters of
base64url: 16 random bytes, and 2 bytes that show whether the link was cut or mistyped. The room is
9 random bytes, in 12 letters.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...codec.errors import ConfigError, LinkError

__all__ = ["ROOM", "SECRET_BYTES", "Link", "server_address"]

SECRET_BYTES = 16
ROOM = re.compile(r"[A-Za-z0-9_-]{12}")
"""What a room's name looks like."""
_ROOM_BYTES = 9
_CHECK_BYTES = 2
_FRAGMENT = re.compile(r"[A-Za-z0-9_-]{24}")
_LONGEST = 400
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Link:
    """A room on a server, and the secret of those who may enter it.

    Attributes:
        server: `http://HOST:PORT` or `https://HOST:PORT`, without a slash at the end.
        room: 12 letters of base64url.
        secret: 16 bytes. Whoever has them can join the call.
    """

    server: str
    room: str
    secret: bytes

    def __post_init__(self) -> None:
        if not ROOM.fullmatch(self.room) or len(self.secret) != SECRET_BYTES:
            raise ConfigError("a room has a name of 12 letters and a secret of 16 bytes")

    @classmethod
    def make(cls, server: str) -> Link:
        """A link to a new room.

        Args:
            server: address of a rendezvous server, see `server_address`.

        Raises:
            LinkError: this is not the address of a server.
        """
        room = _text(secrets.token_bytes(_ROOM_BYTES))
        return cls(server_address(server), room, secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Link:
        """Read a link.

        Raises:
            LinkError: this is not a link, or letters of it are missing or wrong.
        """
        text = text.strip().strip("<>\"'")
        if not text or len(text) > _LONGEST:
            raise LinkError(f"a link has 1 to {_LONGEST} letters, not {len(text)}")
        head, mark, fragment = text.partition("#")
        server, _, room = head.rpartition("/")
        if "://" not in server:
            raise LinkError(
                f"{_short(text)} is not a link of a call, which looks like "
                "http://HOST:PORT/ROOM#SECRET"
            )
        address = server_address(server)
        if not mark:
            raise LinkError(
                "the link ends before its secret, the part after #: copy all of it, and put it in "
                "quotes, since some shells take # for a comment"
            )
        if not ROOM.fullmatch(room) or not _FRAGMENT.fullmatch(fragment):
            raise LinkError(
                "letters of the link are missing or were added: copy all of it, to the last letter"
            )
        data = base64.urlsafe_b64decode(fragment)
        secret, check = data[:SECRET_BYTES], data[SECRET_BYTES:]
        if not hmac.compare_digest(check, _check(room, secret)):
            raise LinkError("a letter of the link is wrong: copy it rather than type it")
        return cls(address, room, secret)

    def __str__(self) -> str:
        fragment = _text(self.secret + _check(self.room, self.secret))
        return f"{self.server}/{self.room}#{fragment}"

    def __repr__(self) -> str:
        """Without the secret, because a representation ends up in logs and tracebacks."""
        return f"Link({self.server}/{self.room})"

    def again(self, number: int) -> Link:
        """The room in which both meet again for the `number`th time, after a line was lost.

        Both sides can compute its name, and nobody else can. Its secret is new, too.

        Args:
            number: from 1.
        """
        key = self.room.encode() + number.to_bytes(4, "little")
        room = hmac.digest(self.secret, b"facewire room again" + key, "sha256")[:_ROOM_BYTES]
        secret = hmac.digest(self.secret, b"facewire secret again" + key, "sha256")[:SECRET_BYTES]
        return Link(self.server, _text(room), secret)


def server_address(text: str) -> str:
    """The address of a rendezvous server as links contain it: scheme, host and port alone.

    Raises:
        LinkError: this is not such an address. It has another scheme, a path, a name and a
            password, or a port that is not a number.
    """
    try:
        parts = urlsplit(text.strip().rstrip("/"))
        port = parts.port
    except ValueError:
        raise LinkError(f"{_short(text)} has a port that is no number below 65536") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise LinkError(f"{_short(text)} is no address of a server, such as https://HOST:PORT")
    if parts.username or parts.password or parts.path or parts.query or parts.fragment:
        raise LinkError(f"{_short(text)}: the address of a server ends with HOST:PORT")
    host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    if re.search(r"[^A-Za-z0-9.:\[\]_%-]", host):
        raise LinkError(f"{_short(text)} has letters in its host name that cannot be there")
    return f"{parts.scheme}://{host}:{port or _PORTS[parts.scheme]}"


def _check(room: str, secret: bytes) -> bytes:
    return hashlib.sha256(b"facewire link" + room.encode() + secret).digest()[:_CHECK_BYTES]


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _short(text: str) -> str:
    """The link without the part after #, for messages."""
    text = text.partition("#")[0]
    return text if len(text) <= 60 else f"{text[:57]}…"
