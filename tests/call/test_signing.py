"""Pictures are bound to the caller: what somebody else signed, or nobody, is never shown."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.call.checking import Checks
from facewire.call.config import CallConfig
from facewire.call.pack import Datagram
from facewire.call.signing import (
    Proofs,
    PublicKey,
    SigningKey,
    ends_of,
    of_keyframe,
    of_stream,
)
from facewire.codec.control import Control, Proof, ReferenceState, Wants
from facewire.codec.errors import ConfigError
from facewire.codec.keyframe import CodedPicture, Keyframe, StillCodec
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.packet import Kind, Packet
from facewire.codec.stream import StreamHeader

from .sides import ENDS, Call, Side

pytest.importorskip("cryptography")

SLOW = CallConfig(kbps=24, fps=Fraction(10))
KEY, OTHER = SigningKey(), SigningKey()
STREAM = StreamHeader("avfr-s", bytes(32), session=70_000)


def keyframe(number: int = 3, size: int = 900, seed: int = 0) -> Keyframe:
    picture = CodedPicture(StillCodec.AV1, 40, random.Random(seed).randbytes(size))
    return Keyframe(number, 5, MotionFrame.from_fp16(bytes(120)), bytes(300), picture)


def checks(key: SigningKey = KEY, ends: bytes = ENDS, session: int = 70_000) -> Checks:
    made = Checks(PublicKey(key.public), ends)
    made.follow(session)
    return made


def proof_of(
    one: Keyframe, key: SigningKey = KEY, ends: bytes = ENDS, session: int = 70_000
) -> Proof:
    return Proof(one.id, key.sign(of_keyframe(ends, session, one.id, bytes(one))))


def test_what_is_signed_to_the_byte() -> None:
    """As docs/call.md describes it."""
    ends = ends_of(b"m" * 32, b"g" * 32)
    assert ends.hex() == "c311cbb1928f512c9be36308e7988cd6e9db71ebf673183e52375d3dfe006c3f"
    assert of_stream(ends, b"payload") == b"facewire proof 1 stream" + ends + b"payload"
    message = of_keyframe(ends, 0x01020304, 5, b"body")
    assert message[:57] == b"facewire proof 1 keyframe" + ends
    assert message[57:62].hex() == "0403020105"
    assert message[62:].hex() == "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5"


def test_a_keyframe_and_its_proof_in_any_order() -> None:
    one = keyframe()
    first = checks()
    assert first.take(proof_of(one)) is None
    assert first.admits(one)
    second = checks()
    assert not second.admits(one)  # it waits
    assert second.take(proof_of(one)) == one
    assert (first.proven, first.unproven) == (second.proven, second.unproven) == (1, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        proof_of(keyframe(), OTHER),
        proof_of(keyframe(), ends=ends_of(bytes(32), bytes(32))),  # another call's certificates
        proof_of(keyframe(), session=70_001),  # an earlier stream of this call
        proof_of(keyframe(seed=1)),  # another picture
        replace(proof_of(keyframe(2)), of=3),  # another id
        Proof(3, bytes(64)),
        Proof(3, KEY.sign(of_stream(ENDS, STREAM.to_payload()))),
    ],
    ids=["another key", "another call", "another stream", "another picture", "another id"]
    + ["zeros", "of the stream"],
)
def test_a_proof_of_something_else(wrong: Proof) -> None:
    one, guard = keyframe(), checks()
    guard.take(wrong)
    assert not guard.admits(one)
    assert guard.take(wrong) is None
    guard.tick(4.0)
    assert guard.unproven == 0  # its proof may still come
    guard.tick(6.0)
    assert (guard.proven, guard.unproven) == (0, 1)
    assert guard.take(proof_of(one)) is None  # too late: it was dropped


def test_a_keyframe_that_comes_again_after_its_id_was_given_away() -> None:
    """It was signed, so nobody is warned; it is old, so nobody sees it."""
    old, new, guard = keyframe(), keyframe(seed=1), checks()
    for one in (old, new):
        guard.take(proof_of(one))
        assert guard.admits(one)
    assert not guard.admits(old)
    guard.tick(10.0)
    assert (guard.proven, guard.unproven) == (2, 0)


def test_a_stream_needs_one_signature_however_often_it_is_sent() -> None:
    guard, payload = checks(), STREAM.to_payload()
    assert not guard.stream(payload)
    guard.take(Proof(Proof.STREAM, KEY.sign(of_stream(ENDS, payload))))
    assert guard.stream(payload)
    guard.take(Proof(Proof.STREAM, bytes(64)))
    assert guard.stream(payload)
    assert not guard.stream(replace(STREAM, session=9).to_payload())
    assert guard.unproven == 2


@given(st.integers(0, 63), st.integers(1, 255), st.integers(0, 1500))
def test_no_bit_may_differ(place: int, flip: int, at: int) -> None:
    one = keyframe()
    good = proof_of(one)
    signature = bytearray(good.signature)
    signature[place] ^= flip
    assert not PublicKey(KEY.public).has_signed(
        of_keyframe(ENDS, 70_000, 3, bytes(one)), bytes(signature)
    )
    body = bytearray(bytes(one))
    body[at % len(body)] ^= flip
    assert not PublicKey(KEY.public).has_signed(
        of_keyframe(ENDS, 70_000, 3, bytes(body)), good.signature
    )


@given(st.integers(0, 63))
def test_a_signature_that_is_cut(length: int) -> None:
    signature = KEY.sign(b"message")
    assert PublicKey(KEY.public).has_signed(b"message", signature)
    assert not PublicKey(KEY.public).has_signed(b"message", signature[:length])
    with pytest.raises(ConfigError):
        Proof(0, signature[:length])


def test_keys_of_another_length() -> None:
    with pytest.raises(ConfigError, match="32"):
        PublicKey(bytes(31))
    with pytest.raises(ConfigError, match="32"):
        ends_of(bytes(32), bytes(20))


# -- the sending half


def accompany(proofs: Proofs, packets: list[Packet], now: float) -> list[int]:
    return [proof.of for proof in proofs.accompany(packets, 70_000, now)]


def test_a_keyframe_is_signed_once_with_its_last_part() -> None:
    proofs, one = Proofs(KEY, ENDS), keyframe()
    parts = one.to_packets(0, part=300)
    assert accompany(proofs, parts[:-1], 0.0) == []
    assert accompany(proofs, parts[-1:], 0.1) == [3]
    assert accompany(proofs, parts[1:2], 0.2) == []  # it was lost, and leaves again


def test_a_proof_is_repeated_until_the_keyframe_is_named() -> None:
    proofs, one = Proofs(KEY, ENDS), keyframe()
    stream = STREAM.to_packet(0)
    parts = one.to_packets(0)
    crc = int.from_bytes(parts[0].payload[2:6], "little")
    assert accompany(proofs, [stream, *parts], 0.0) == [16, 3]
    assert accompany(proofs, [stream], 0.2) == [16]
    assert accompany(proofs, [stream], 0.9) == [16, 3]
    proofs.report(Control(session=1, references=(ReferenceState(3, crc),)), 70_000)
    assert accompany(proofs, [stream], 2.6) == [16, 3]  # that was about another stream
    proofs.report(Control(session=70_000, references=()), 70_000)
    assert accompany(proofs, [stream], 5.9) == [3]  # the stream is known
    proofs.report(Control(session=70_000, references=(ReferenceState(3, crc),)), 70_000)
    assert accompany(proofs, [stream], 60.0) == []
    proofs.report(Control(session=70_000, wants=Wants.STREAM), 70_000)
    assert accompany(proofs, [stream], 61.0) == [16]


def test_proofs_that_are_never_confirmed_end() -> None:
    proofs = Proofs(KEY, ENDS)
    count = 0
    for number in range(12):
        count += len(accompany(proofs, keyframe(number, seed=number).to_packets(0), number))
    proofs.report(Control(session=70_000), 70_000)
    for second in range(1000):
        count += len(accompany(proofs, [], 12.0 + second))
    assert count <= 12 * 6


# -- two sides, and somebody who can put datagrams between them


def forged(
    call: Call, key: SigningKey | None, change: Callable[[Packet], Packet] = lambda packet: packet
) -> list[bytes]:
    """What a stranger would send to `call.b`: a stream of his own, signed by a key or by nobody."""
    stranger = Side(call.world, call.a.clock, call.a.config, call.a.card, key=key)
    if key is not None:
        stranger.session.bind(key, PublicKey(OTHER.public), ENDS)
    data: list[bytes] = []
    for number in range(30):
        now = stranger.now + number / 10
        stranger.session.see(255 - stranger.frame, now)
        data += stranger.session.send(now)
    packed = [Datagram.parse(one) for one in data]
    assert any(packet.kind is Kind.KEYFRAME for one in packed for packet in one.packets)
    return [bytes(replace(one, packets=tuple(map(change, one.packets)))) for one in packed]


def attack(call: Call, datagrams: list[bytes]) -> None:
    """The call goes on as if nothing had been."""
    call.run(2)
    before = call.b.session.statistics
    number = call.b.session.incoming.decoder.header
    for datagram in datagrams:
        call.b.session.receive(datagram, call.b.now)
        call.run(0.02)
    call.run(2)
    after = call.b.session.statistics
    assert call.b.session.incoming.decoder.header == number
    assert after.restarts == before.restarts == 0
    assert len(call.b.frames(call.world.now - 2, call.world.now)) > 17
    output = call.b.session.picture(call.b.now)
    assert output is not None
    assert abs(output.frame.mean() - call.a.frame.mean()) < 20  # and not the stranger's


@pytest.mark.parametrize("key", [None, OTHER], ids=["unsigned", "another key"])
def test_the_stream_of_a_stranger(card: Path, key: SigningKey | None) -> None:
    call = Call(card, SLOW)
    attack(call, forged(call, key))
    assert call.b.session.statistics.unproven > 0
    assert call.b.session.statistics.strangers > 0


def test_keyframes_of_a_stranger_in_the_true_stream(card: Path) -> None:
    """He knows the session's number, and sends his pictures under it."""
    call = Call(card, SLOW)
    call.run(1)
    session = call.a.session.outgoing.encoder.header.session & 0xFFFF
    datagrams = [Datagram.parse(one) for one in forged(call, OTHER)]
    pictures = [
        bytes(
            Datagram(
                session,
                30_000 + number,
                0,
                tuple(p for p in one.packets if p.kind in (Kind.KEYFRAME, Kind.CONTROL)),
            )
        )
        for number, one in enumerate(datagrams)
    ]
    call.run(2)
    shown = call.b.session.incoming.decoder.statistics.keyframes
    for datagram in pictures:
        call.b.session.receive(datagram, call.b.now)
    call.b.session.incoming.tick(call.b.now + 6)
    assert call.b.session.incoming.decoder.statistics.keyframes == shown
    assert call.b.session.statistics.unproven > 0


def test_signatures_that_were_stripped(card: Path) -> None:
    """Nothing is shown, and what was dropped is counted."""
    call = Call(card, SLOW)
    receive = call.b.session.receive

    def strip(data: bytes, now: float) -> None:
        one = Datagram.parse(data)
        packets = []
        for packet in one.packets:
            if packet.kind is Kind.CONTROL:
                report = replace(Control.from_payload(packet.payload), proof=None)
                packet = report.to_packet(packet.sequence)
            packets.append(packet)
        receive(bytes(replace(one, packets=tuple(packets))), now)

    call.b.session.receive = strip  # type: ignore[method-assign]
    call.run(5)
    statistics = call.b.session.statistics
    assert call.b.shown == []
    assert statistics.proven == 0
    assert statistics.unproven > 3
    assert call.a.shown  # the other direction is as it was


def test_keys_that_were_swapped(card: Path) -> None:
    call = Call(card, SLOW, signed=False)
    for side in (call.a, call.b):
        side.session.bind(KEY, PublicKey(OTHER.public), ENDS)
    call.run(4)
    for side in (call.a, call.b):
        assert side.shown == []
        assert side.session.statistics.unproven > 0


def test_ends_that_differ(card: Path) -> None:
    """Somebody in between has one certificate for each side, and hands on what both send."""
    call = Call(card, SLOW, signed=False)
    call.a.session.bind(KEY, PublicKey(OTHER.public), ends_of(bytes(32), b"x" * 32))
    call.b.session.bind(OTHER, PublicKey(KEY.public), ends_of(b"x" * 32, bytes(32)))
    call.run(4)
    assert call.a.shown == call.b.shown == []


def test_an_earlier_stream_is_not_played_again(card: Path) -> None:
    """All of it was signed by the right key, but it is over."""
    call = Call(card, SLOW)
    receive, old = call.b.session.receive, list[bytes]()
    call.b.session.receive = lambda data, now: old.append(data) or receive(data, now)  # type: ignore
    call.run(3)
    call.b.session.receive = receive  # type: ignore[method-assign]
    call.a.begin()
    call.run(3)
    assert call.b.session.statistics.restarts == 1
    number = call.b.session.incoming.decoder.header
    for datagram in old:
        call.b.session.receive(datagram, call.b.now)
        call.run(0.02)
    assert call.b.session.incoming.decoder.header == number
    assert call.b.session.statistics.restarts == 1
    assert call.b.session.statistics.strangers >= len(old)


@pytest.mark.slow
def test_what_the_signatures_cost(card: Path) -> None:
    """At 16 kbit/s, in the first 20 s, in which most references are sent."""
    call = Call(card, CallConfig(kbps=16))
    call.run(20)
    sent = call.a.session.outgoing.statistics
    assert 0 < sent.proofs < 0.03 * sent.bytes
    proven = call.b.session.statistics.proven
    assert proven is not None
    assert sent.proofs < 76 * (proven + 4)  # hardly one more than is needed
    assert call.b.session.statistics.unproven == 0
