"""Sealed messages: only the right secret, room, direction and offer open them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.call.meeting.link import Link
from facewire.call.meeting.sealing import MAX_SEALED, Seal
from facewire.codec.errors import SealError

pytest.importorskip("cryptography")

LINK = Link("http://10.0.0.1:80", "AAAAAAAAAAAA", bytes(range(16)))


@given(st.binary(max_size=700))
def test_round_trip(message: bytes) -> None:
    maker, guest = Seal(LINK), Seal(LINK)
    offer = maker.offer(message)
    assert guest.open_offer(offer) == message
    answer = guest.answer(message[::-1], offer)
    assert maker.open_answer(answer, offer) == message[::-1]


def test_the_message_is_not_in_it_and_its_length_is_hidden() -> None:
    seal = Seal(LINK)
    assert b"192.168.0.1" not in seal.offer(b"192.168.0.1")
    assert len(seal.offer(b"a")) == len(seal.offer(b"a" * 60))
    assert seal.offer(b"a") != seal.offer(b"a")


@given(st.integers(0, 92), st.integers(0, 7))
def test_every_changed_bit_is_refused(byte: int, bit: int) -> None:
    sealed = bytearray(Seal(LINK).offer(b"hello"))
    assert len(sealed) == 93
    sealed[byte] ^= 1 << bit
    with pytest.raises(SealError):
        Seal(LINK).open_offer(bytes(sealed))


@pytest.mark.parametrize(
    "other",
    [
        Link(LINK.server, LINK.room, bytes(16)),
        Link(LINK.server, "BAAAAAAAAAAA", LINK.secret),
        LINK.again(1),
    ],
)
def test_another_secret_or_room(other: Link) -> None:
    with pytest.raises(SealError, match="secret"):
        Seal(other).open_offer(Seal(LINK).offer(b"hello"))


def test_an_offer_is_no_answer() -> None:
    seal = Seal(LINK)
    offer = seal.offer(b"hello")
    with pytest.raises(SealError):
        seal.open_answer(offer, b"")
    with pytest.raises(SealError):
        seal.open_offer(seal.answer(b"hello", b""))


def test_an_answer_to_an_earlier_offer_is_refused() -> None:
    seal = Seal(LINK)
    first, second = seal.offer(b"hello"), seal.offer(b"hello")
    with pytest.raises(SealError):
        seal.open_answer(seal.answer(b"there", first), second)


@given(st.binary(max_size=300))
def test_garbage(data: bytes) -> None:
    with pytest.raises(SealError):
        Seal(LINK).open_offer(data)


def test_too_long() -> None:
    with pytest.raises(SealError, match="too long"):
        Seal(LINK).offer(bytes(MAX_SEALED))


def test_the_door_opens_nothing_else() -> None:
    """The server knows what shows it that a guest has the link; it is not part of any key."""
    assert len(Seal(LINK).door) == 16
    assert Seal(LINK).door != Seal(LINK.again(1)).door
    with pytest.raises(SealError):
        Seal(Link(LINK.server, LINK.room, Seal(LINK).door)).open_offer(Seal(LINK).offer(b"x"))
