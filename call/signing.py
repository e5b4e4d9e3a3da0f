"""Signatures that bind a call's pictures to the caller (Ed25519, RFC 8032).

Each side makes a key for the call. The public half travels inside the sealed offer or answer
(`abilities.py`), beside the fingerprint of the side's certificate. These bytes are signed:

    STREAM      "facewire proof 1 stream"    ends  payload
    keyframe    "facewire proof 1 keyframe"  ends  session u32  id u8  SHA-256 of the body

`ends` is SHA-256("facewire ends 1", the maker's fingerprint, the guest's): so a picture is bound to
the two certificates from which the words are made, and to one stream. A keyframe is signed once, as
a whole; its signature travels with the last of its parts. A STREAM packet that is sent again has
the same bytes, and needs no new signature.
"""

from __future__ import annotations

import hashlib
import struct
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..codec.control import Control, Proof, Wants
from ..codec.errors import ConfigError, MissingExtraError
from ..codec.keyframe import fragment_body, fragment_of
from ..codec.packet import Kind, Packet

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["KEY_BYTES", "Proofs", "PublicKey", "SigningKey", "ends_of", "of_keyframe", "of_stream"]

KEY_BYTES = 32
_SESSION = struct.Struct("<IB")
_AGAIN_S = 0.8  # from one sending of a keyframe's proof to the next; doubled each time
_TIMES = 6  # that a proof is sent, at most
_KEPT = 4  # keyframes that are under way


def ends_of(maker: bytes, guest: bytes) -> bytes:
    """32 bytes that stand for both ends of a call.

    Args:
        maker: 32 bytes, SHA-256 of the certificate of the side that made the room.
        guest: the same of the other side.

    Raises:
        ConfigError: a fingerprint has another length.
    """
    if (len(maker), len(guest)) != (32, 32):
        raise ConfigError("a fingerprint has 32 bytes")
    return hashlib.sha256(b"facewire ends 1" + maker + guest).digest()


def of_stream(ends: bytes, payload: bytes) -> bytes:
    """The bytes of a STREAM packet that are signed."""
    return b"facewire proof 1 stream" + ends + payload


def of_keyframe(ends: bytes, session: int, identity: int, body: bytes) -> bytes:
    """The bytes of a keyframe that are signed: its body as the packets carry it, its id, and the
    number of its stream.
    """
    digest = hashlib.sha256(body).digest()
    return b"facewire proof 1 keyframe" + ends + _SESSION.pack(session, identity) + digest


class SigningKey:
    """A new key of this side, known to nobody else and kept in memory only.

    Attributes:
        public: `KEY_BYTES` bytes for the other side.

    Raises:
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        except ImportError as error:
            raise MissingExtraError("a call", "call") from error
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes."""
        return self._key.sign(message)


class PublicKey:
    """The key of the other side.

    Args:
        data: `KEY_BYTES` bytes.

    Raises:
        MissingExtraError: `cryptography` is not installed.
        ConfigError: the number of bytes is another one.
    """

    def __init__(self, data: bytes) -> None:
        try:
            from cryptography.exceptions import InvalidSignature
            from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        except ImportError as error:
            raise MissingExtraError("a call", "call") from error
        if len(data) != KEY_BYTES:
            raise ConfigError(f"a public key has {KEY_BYTES} bytes, not {len(data)}")
        self._wrong = InvalidSignature
        self._key: Ed25519PublicKey = Ed25519PublicKey.from_public_bytes(data)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature was made with this key for this message."""
        try:
            self._key.verify(signature, message)
        except self._wrong:
            return False
        return True


@dataclass(slots=True)
class _Sent:
    """A proof that the peer has not confirmed: when it leaves again, and how often it has left."""

    proof: Proof
    next: float
    times: int = 1


class Proofs:
    """The sending half: says which proofs leave with the packets of this side's stream.

    A proof is a signature as it is sent. The peer uses a keyframe only with its proof, and names it
    in his reports only then. So a proof is repeated until the keyframe is named.

    Args:
        key: of this side.
        ends: see `ends_of`.
    """

    def __init__(self, key: SigningKey, ends: bytes) -> None:
        self._key, self._ends = key, ends
        self._stream: tuple[bytes, Proof] | None = None  # a payload, and the proof of it
        self._known = False  # the peer has the stream's proof
        self._parts: OrderedDict[tuple[int, int], dict[int, bytes]] = OrderedDict()
        self._sent: OrderedDict[tuple[int, int], _Sent] = OrderedDict()

    def restart(self) -> None:
        """Note that the peer begins anew, and has no proof of the stream."""
        self._known = False

    def report(self, control: Control, session: int) -> None:
        """Take a report of the peer on the stream of this session: what it names has arrived."""
        if control.session == session:
            self._known = True
            for state in control.references or ():
                self._sent.pop((state.id, state.crc), None)
        if Wants.STREAM in control.wants:
            self._known = False

    def accompany(
        self, packets: Iterable[Packet], session: int, now: float, *, reliably: bool = False
    ) -> list[Proof]:
        """The proofs that leave with these packets.

        Args:
            packets: those of the stream that leave now.
            session: full number of the stream.
            now: seconds.
            reliably: they cannot be lost, so that their proofs need not be sent again.
        """
        proofs: list[Proof] = []
        before = set(self._sent)
        for packet in packets:
            if packet.kind is Kind.STREAM and not self._known:
                proof = self._of_stream(packet.payload)
                proofs += [] if proof in proofs else [proof]
            elif packet.kind is Kind.KEYFRAME:
                proofs += self._of_fragment(packet, session, now)
        if reliably:
            self._sent = OrderedDict((k, v) for k, v in self._sent.items() if k in before)
            return proofs
        for sent in self._sent.values():
            if now >= sent.next and sent.times < _TIMES:
                sent.next, sent.times = now + _AGAIN_S * (1 << sent.times), sent.times + 1
                proofs.append(sent.proof)
        return proofs

    def _of_stream(self, payload: bytes) -> Proof:
        if self._stream is None or self._stream[0] != payload:
            signature = self._key.sign(of_stream(self._ends, payload))
            self._stream = payload, Proof(Proof.STREAM, signature)
        return self._stream[1]

    def _of_fragment(self, packet: Packet, session: int, now: float) -> list[Proof]:
        """The proof of a keyframe, which goes with the last of its fragments."""
        index, count, crc = fragment_of(packet)
        key = packet.reference, crc
        if key in self._sent:  # it is sent again, and so is the proof when its time comes
            self._sent[key].times = min(self._sent[key].times, 2)
            return []
        parts = self._parts.setdefault(key, {})
        parts[index] = fragment_body(packet)
        while len(self._parts) > _KEPT:
            self._parts.popitem(last=False)
        if len(parts) < count:
            return []
        del self._parts[key]
        body = b"".join(parts[at] for at in range(count))
        signature = self._key.sign(of_keyframe(self._ends, session, packet.reference, body))
        proof = Proof(packet.reference, signature)
        self._sent[key] = _Sent(proof, now + _AGAIN_S)
        while len(self._sent) > _KEPT:
            self._sent.popitem(last=False)
        return [proof]
