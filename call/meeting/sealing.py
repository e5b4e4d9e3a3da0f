"""`Seal`: seals offer and answer of a call, so that only those who have the link can read them.

A sealed message is ChaCha20-Poly1305 (RFC 8439):

0       version      u8, 1
1..12   nonce        random
13..    sealed       message, padded with zeros behind a byte 0x80 to a multiple of 64, and the tag

Each direction has its own key, made by HKDF-SHA256 (RFC 5869) from the link's secret. The tag also
covers the room and, in an answer, the offer that it belongs to. So a message of another room or of
the other direction is refused, and so is an answer to another offer.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING

from ...codec.errors import MissingExtraError, SealError
from .link import Link

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

__all__ = ["MAX_SEALED", "Seal"]

MAX_SEALED = 8192
"""Bytes of a sealed message at most."""
_VERSION = b"\x01"
_NONCE = 12
_TAG = 16
_BLOCK = 64
_WRONG = (
    "the message was not sealed with this link's secret: the link is another one, or the server "
    "changed the message"
)


class Seal:
    """Closes and opens the messages of one room.

    Args:
        link: of the room.

    Raises:
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self, link: Link) -> None:
        self._room = link.room.encode()
        self._secret = link.secret

    @property
    def door(self) -> bytes:
        """16 bytes that prove to the server that a guest has the link, and open nothing else."""
        return self._derive(b"door", 16)

    def offer(self, message: bytes) -> bytes:
        """Seal what the maker of the room says. Raises `SealError` if it is too long."""
        return self._close(b"offer", message, b"")

    def open_offer(self, sealed: bytes) -> bytes:
        """Read an offer. Raises `SealError` if it is of another secret or room, or was changed."""
        return self._open(b"offer", sealed, b"")

    def answer(self, message: bytes, offer: bytes) -> bytes:
        """Seal the guest's answer to a sealed offer. Raises `SealError` if it is too long."""
        return self._close(b"answer", message, offer)

    def open_answer(self, sealed: bytes, offer: bytes) -> bytes:
        """Read the answer to a sealed offer.

        Raises:
            SealError: it is of another secret or room, answers another offer, or was changed.
        """
        return self._open(b"answer", sealed, offer)

    def _close(self, direction: bytes, message: bytes, offer: bytes) -> bytes:
        padded = message + b"\x80"
        padded += bytes(-len(padded) % _BLOCK)
        nonce = os.urandom(_NONCE)
        sealed = self._cipher(direction).encrypt(nonce, padded, self._bound(direction, offer))
        data = _VERSION + nonce + sealed
        if len(data) > MAX_SEALED:
            raise SealError(f"a message of {len(message)} bytes is too long to be sealed")
        return data

    def _open(self, direction: bytes, data: bytes, offer: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        if not 1 + _NONCE + _BLOCK + _TAG <= len(data) <= MAX_SEALED:
            raise SealError(f"a message of {len(data)} bytes cannot be a sealed one")
        if data[:1] != _VERSION:
            raise SealError(
                f"the message was sealed by version {data[0]}, which is not known here: "
                "both sides need the same version of facewire"
            )
        nonce, sealed = data[1 : 1 + _NONCE], data[1 + _NONCE :]
        try:
            padded = self._cipher(direction).decrypt(nonce, sealed, self._bound(direction, offer))
        except InvalidTag:
            raise SealError(_WRONG) from None
        message, mark, rest = padded.rpartition(b"\x80")
        if not mark or rest.strip(b"\0"):
            raise SealError(_WRONG)
        return message

    def _bound(self, direction: bytes, offer: bytes) -> bytes:
        """What the tag covers in addition to the message."""
        return b"facewire call 1 " + direction + self._room + hashlib.sha256(offer).digest()

    def _cipher(self, direction: bytes) -> ChaCha20Poly1305:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
        except ImportError as error:
            raise MissingExtraError("a call", "call") from error
        return ChaCha20Poly1305(self._derive(direction, 32))

    def _derive(self, purpose: bytes, length: int) -> bytes:
        """HKDF-SHA256 with the room as salt, one block."""
        extracted = hmac.digest(self._room, self._secret, "sha256")
        expanded = hmac.digest(extracted, b"facewire call 1 key " + purpose + b"\x01", "sha256")
        return expanded[:length]
