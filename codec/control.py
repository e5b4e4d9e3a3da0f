"""`Control`: what one side of a call tells the other about the stream that it receives.

A CONTROL packet's sequence number counts CONTROL packets alone, so that none of them can be
mistaken for a lost packet of the stream. Its payload is little-endian:

0       version            u8, 1
1..4    session            u32, the session number of the stream that the report is about, 0 where
                           no STREAM packet has come yet
5..     items              each: type u8, length u8, body

An item of a type that the reader does not know is skipped, so that later versions can add some.
The items are described at the classes below and in docs/wire-format.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag
from typing import ClassVar

from .counters import WRAP
from .errors import ConfigError, StreamError, TruncatedError, UnsupportedError
from .packet import Flags, Kind, Packet

__all__ = [
    "MAX_CONTROL",
    "MAX_MAP_BYTES",
    "MAX_MISSING",
    "SIGNATURE_BYTES",
    "Arrivals",
    "Clock",
    "Control",
    "Missing",
    "Proof",
    "Received",
    "ReferenceState",
    "State",
    "Wants",
]

MAX_CONTROL = 1024
"""Bytes of a payload at most."""
VERSION = 1
_HEAD = struct.Struct("<BI")
_ITEM = struct.Struct("<BB")
_RECEIVED, _DECODED, _REFERENCES, _WANTS, _MISSING, _CLOCK, _STATE, _ARRIVALS, _PROOF = range(1, 10)
_U16, _U32 = struct.Struct("<H"), struct.Struct("<I")
_REFERENCE = struct.Struct("<BI")
_CLOCKS = struct.Struct("<IIH")
_ARRIVAL = struct.Struct("<HI")
MAX_MAP_BYTES = 32
MAX_REFERENCES = 16
MAX_MISSING = 60
MAX_ARRIVALS = 100
SIGNATURE_BYTES = 64
_LOST = -0x8000  # in place of an arrival
_TICKS = 4000  # a second, of arrivals


class Wants(IntFlag):
    """What the receiver needs. A bit that has no name is ignored when it is read."""

    NOTHING = 0
    KEYFRAME = 1
    """A keyframe from which one can join."""
    REFRESH = 2
    """Motion that depends on the keyframe alone."""
    IDENTITY = 4
    """The identity that the stream names."""
    STREAM = 8
    """The STREAM packet."""
    BASE = 16
    """Another chain of the base layer, since a part of this one never came."""


class State(IntFlag):
    """What comes of the person at the sending side. `MUTED` and `CAMERA_OFF` also tell that there
    is no microphone or no camera that works. A bit that has no name is ignored when read.
    """

    PRESENT = 0
    MUTED = 1
    CAMERA_OFF = 2
    AWAY = 4
    HOLD = 8
    LEAVING = 16


@dataclass(frozen=True, slots=True)
class Received:
    """Which packets came (item 1): `newest u16`, then at most 32 bytes of a bit map.

    Attributes:
        newest: sequence number of the newest packet, 0..65535.
        before: bit n, counted from the lowest bit of the first byte, says whether packet
            `newest - 1 - n` came. At most 256 bits.
    """

    newest: int
    before: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.newest < WRAP or not 0 <= self.before < 1 << 8 * MAX_MAP_BYTES:
            raise ConfigError(f"not a map of received packets: {self.newest}, {self.before:#x}")

    def numbers(self) -> Iterator[int]:
        """Sequence numbers of the packets that came, the newest first."""
        yield self.newest
        for offset in range(self.before.bit_length()):
            if self.before >> offset & 1:
                yield (self.newest - 1 - offset) % WRAP


@dataclass(frozen=True, slots=True)
class ReferenceState:
    """A reference that is ready (item 3: `id u8 | crc u32` for each of at most 16).

    Attributes:
        id: 0..15, as keyframes and motion name it.
        crc: CRC-32 of the keyframe's body, as its fragments carry it. Ids are used again, so an id
            alone does not say which keyframe came.
    """

    id: int
    crc: int

    def __post_init__(self) -> None:
        if not 0 <= self.id < 16 or not 0 <= self.crc < 1 << 32:
            raise ConfigError(f"a reference has an id below 16 and a CRC-32, not {self}")


@dataclass(frozen=True, slots=True)
class Missing:
    """Fragments of a keyframe that have not come (item 5): `id u8 | crc u32`, then `index u8` each.

    Attributes:
        id: of the keyframe, 0..15.
        crc: CRC-32 of the keyframe's body, which each of its fragments carries.
        fragments: indices of what is missing; at most 60 are named.
    """

    id: int
    crc: int
    fragments: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (0 <= self.id < 16 and 0 <= self.crc < 1 << 32):
            raise ConfigError(f"a keyframe has an id below 16 and a CRC-32, not {self}")
        if not 0 < len(self.fragments) <= MAX_MISSING or not all(
            0 <= index < 256 for index in self.fragments
        ):
            raise ConfigError(f"1 to {MAX_MISSING} indices of fragments below 256, not {self}")


@dataclass(frozen=True, slots=True)
class Clock:
    """A pair of clock readings (item 6), as in RTCP's LSR and DLSR (RFC 3550, 6.4.1).

    Attributes:
        sent: when this report was sent, ms of the writer's clock modulo 2^32.
        echo: `sent` of the newest report that the writer got, 0 where none came.
        held: ms from the arrival of that report until this one was sent, at most 65535.
    """

    sent: int
    echo: int = 0
    held: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.sent < 1 << 32 and 0 <= self.echo < 1 << 32 and 0 <= self.held < WRAP):
            raise ConfigError(f"clock readings that do not fit: {self}")


@dataclass(frozen=True, slots=True)
class Arrivals:
    """When datagrams arrived (item 8): `first u16 | start u32`, then `i16` for each datagram.

    Each number is the time since the arrival of the one before that came (since `start` for the
    first), in quarters of a millisecond. -32768 means that the datagram has not come.

    Attributes:
        first: number of the first datagram, 0..65535; the others follow it.
        start: ms of the writer's clock modulo 2^32 that the first arrival counts from.
        times: seconds after `start` for each datagram, None where it has not come; at most 100.
            A reading that lies more than 8.1 s from the one before is held at that bound.
    """

    first: int
    start: int
    times: tuple[float | None, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.first < WRAP or not 0 <= self.start < 1 << 32:
            raise ConfigError(f"arrivals of datagram {self.first} from {self.start} do not fit")
        if len(self.times) > MAX_ARRIVALS:
            raise ConfigError(f"{len(self.times)} arrivals; at most {MAX_ARRIVALS} are reported")


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature of the writer on his own STREAM packet, or on a keyframe of his (item 9):
    `of u8`, then 64 bytes of Ed25519. What is signed, `call/signing.py` says.

    Attributes:
        of: id of the keyframe, 0..15; `Proof.STREAM` for the STREAM packet.
        signature: `SIGNATURE_BYTES` bytes.
    """

    STREAM: ClassVar[int] = 16

    of: int
    signature: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.of <= self.STREAM or len(self.signature) != SIGNATURE_BYTES:
            raise ConfigError(
                f"a proof is of a keyframe below 16 or of the stream (16), not {self.of}, and has "
                f"a signature of {SIGNATURE_BYTES} bytes, not {len(self.signature)}"
            )


@dataclass(frozen=True, slots=True)
class Control:
    """One report. Every part may be left out.

    Attributes:
        session: number of the stream that the report is about, 0..2^32 - 1; 0: none came yet.
        received: which packets came.
        decoded: time of the newest frame that was decoded, in ticks of the stream modulo 2^32.
        references: keyframes that motion may refer to; None where nothing is said of them.
        wants: what the receiver needs.
        missing: fragments that a keyframe lacks.
        clock: for the estimate of delay and drift.
        state: of the writer's own camera and microphone; None where nothing is said.
        arrivals: when the peer's datagrams arrived.
        proof: a signature on what the writer sends.
    """

    session: int = 0
    received: Received | None = None
    decoded: int | None = None
    references: tuple[ReferenceState, ...] | None = None
    wants: Wants = Wants.NOTHING
    missing: Missing | None = None
    clock: Clock | None = None
    state: State | None = None
    arrivals: Arrivals | None = None
    proof: Proof | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.session < 1 << 32:
            raise ConfigError(f"a session number has 32 bits, not {self.session}")
        if self.decoded is not None and not 0 <= self.decoded < 1 << 32:
            raise ConfigError(f"a time has 32 bits, not {self.decoded}")
        if self.references is not None and len(self.references) > MAX_REFERENCES:
            raise ConfigError(f"{len(self.references)} references; there are at most 16 ids")

    def to_payload(self) -> bytes:
        """The payload of a CONTROL packet, at most `MAX_CONTROL` bytes."""
        items = [(kind, body) for kind, body in self._items() if body is not None]
        packed = (_ITEM.pack(kind, len(body)) + body for kind, body in items)
        return _HEAD.pack(VERSION, self.session) + b"".join(packed)

    def to_packet(self, number: int) -> Packet:
        """A CONTROL packet; `number` counts CONTROL packets, modulo 65536."""
        return Packet(Kind.CONTROL, Flags.NONE, 0, number % WRAP, 0, self.to_payload())

    def _items(self) -> Iterator[tuple[int, bytes | None]]:
        if self.received is not None:
            length = -(-self.received.before.bit_length() // 8)
            yield (
                _RECEIVED,
                _U16.pack(self.received.newest) + self.received.before.to_bytes(length, "little"),
            )
        if self.decoded is not None:
            yield _DECODED, _U32.pack(self.decoded)
        if self.references is not None:
            yield _REFERENCES, b"".join(_REFERENCE.pack(r.id, r.crc) for r in self.references)
        if self.wants:
            yield _WANTS, bytes([self.wants])
        if self.missing is not None:
            head = _REFERENCE.pack(self.missing.id, self.missing.crc)
            yield _MISSING, head + bytes(self.missing.fragments)
        if self.clock is not None:
            yield _CLOCK, _CLOCKS.pack(self.clock.sent, self.clock.echo, self.clock.held)
        if self.state is not None:
            yield _STATE, bytes([self.state])
        if self.arrivals is not None:
            yield _ARRIVALS, _pack_arrivals(self.arrivals)
        if self.proof is not None:
            yield _PROOF, bytes([self.proof.of]) + self.proof.signature

    @classmethod
    def from_payload(cls, data: bytes) -> Control:
        """Read a payload.

        Raises:
            TruncatedError: it ends within its head or within an item.
            UnsupportedError: another version.
            StreamError: larger than `MAX_CONTROL`, an item that occurs twice, or one whose length
                does not fit its type.
        """
        if len(data) > MAX_CONTROL:
            raise StreamError(f"a report of {len(data)} bytes; at most {MAX_CONTROL} are allowed")
        if len(data) < _HEAD.size:
            raise TruncatedError(f"a report has at least {_HEAD.size} bytes, not {len(data)}")
        version, session = _HEAD.unpack_from(data)
        if version != VERSION:
            raise UnsupportedError(f"reports of version {version} are not known here")
        bodies = dict[int, bytes]()
        at = _HEAD.size
        while at < len(data):
            if len(data) < at + _ITEM.size:
                raise TruncatedError("a report ends within the head of an item")
            kind, length = _ITEM.unpack_from(data, at)
            at += _ITEM.size
            if len(data) < at + length:
                raise TruncatedError(f"item {kind} of a report is cut short")
            if kind in bodies:
                raise StreamError(f"item {kind} occurs twice in a report")
            bodies[kind] = data[at : at + length]
            at += length
        try:
            return cls._from_items(session, bodies)
        except (struct.error, IndexError, ConfigError) as error:
            raise StreamError(f"an item of a report does not fit its type: {error}") from error

    @classmethod
    def _from_items(cls, session: int, bodies: dict[int, bytes]) -> Control:
        def one(kind: int, form: struct.Struct) -> int | None:
            return form.unpack(bodies[kind])[0] if kind in bodies else None

        received = missing = clock = references = state = arrivals = proof = None
        if (body := bodies.get(_RECEIVED)) is not None:
            received = Received(_U16.unpack(body[:2])[0], int.from_bytes(body[2:], "little"))
        if (body := bodies.get(_REFERENCES)) is not None:
            references = tuple(ReferenceState(*row) for row in _REFERENCE.iter_unpack(body))
        if (body := bodies.get(_MISSING)) is not None:
            identity, crc = _REFERENCE.unpack(body[: _REFERENCE.size])
            missing = Missing(identity, crc, tuple(body[_REFERENCE.size :]))
        if (body := bodies.get(_CLOCK)) is not None:
            clock = Clock(*_CLOCKS.unpack(body))
        if (value := one(_STATE, _BYTE)) is not None:
            state = State(value & _KNOWN_STATES)
        if (body := bodies.get(_ARRIVALS)) is not None:
            arrivals = _unpack_arrivals(body)
        if (body := bodies.get(_PROOF)) is not None:
            proof = Proof(body[0], body[1:])
        wants = Wants((one(_WANTS, _BYTE) or 0) & _KNOWN_WANTS)
        decoded = one(_DECODED, _U32)
        about = received, decoded, references, wants, missing, clock, state, arrivals, proof
        return cls(session, *about)


_BYTE = struct.Struct("B")
_KNOWN_WANTS = sum(Wants)
_KNOWN_STATES = sum(State)


def _pack_arrivals(arrivals: Arrivals) -> bytes:
    body = _ARRIVAL.pack(arrivals.first, arrivals.start)
    last = 0  # in quarters of a millisecond
    for time in arrivals.times:
        step = _LOST
        if time is not None:
            step = min(max(round(time * _TICKS) - last, _LOST + 1), -_LOST - 1)
            last += step
        body += struct.pack("<h", step)
    return body


def _unpack_arrivals(body: bytes) -> Arrivals:
    first, start = _ARRIVAL.unpack(body[: _ARRIVAL.size])
    times: list[float | None] = []
    last = 0
    for (step,) in struct.iter_unpack("<h", body[_ARRIVAL.size :]):
        last += 0 if step == _LOST else step
        times.append(None if step == _LOST else last / _TICKS)
    return Arrivals(first, start, tuple(times))
