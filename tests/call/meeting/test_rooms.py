"""Rooms and limits, with a clock that the tests hold."""

from __future__ import annotations

import hashlib

import pytest

from facewire.call.meeting.flood import Flood
from facewire.call.meeting.rooms import OFFER_BYTES, Limits, Refused, Rooms

NAME, OTHER = "AAAAAAAAAAAA", "BBBBBBBBBBBB"
PROOF = b"proof"
DOOR = hashlib.sha256(PROOF).digest()


def status(caught: pytest.ExceptionInfo[Refused]) -> int:
    return caught.value.status


def test_a_call_finds_together() -> None:
    rooms = Rooms()
    maker = rooms.open(NAME, DOOR, b"offer", b"me", 0.0)
    assert rooms.take(NAME, maker, 1.0) is None
    offer, guest = rooms.enter(NAME, PROOF, 2.0)
    assert offer == b"offer"
    rooms.reply(NAME, guest, b"answer", 3.0)
    assert rooms.take(NAME, maker, 4.0) == b"answer"


def test_everything_is_given_once() -> None:
    rooms = Rooms()
    maker = rooms.open(NAME, DOOR, b"offer", b"me", 0.0)
    _, guest = rooms.enter(NAME, PROOF, 0.0)
    with pytest.raises(Refused) as third:
        rooms.enter(NAME, PROOF, 1.0)
    assert status(third) == 410
    rooms.reply(NAME, guest, b"answer", 1.0)
    with pytest.raises(Refused) as twice:
        rooms.reply(NAME, guest, b"another", 1.0)
    assert status(twice) == 403
    rooms.take(NAME, maker, 2.0)
    with pytest.raises(Refused):
        rooms.take(NAME, maker, 2.0)
    with pytest.raises(Refused) as again:
        rooms.open(NAME, DOOR, b"offer", b"me", 3.0)
    assert status(again) == 409


def test_a_wrong_secret_does_not_use_the_room_up() -> None:
    rooms = Rooms()
    rooms.open(NAME, DOOR, b"offer", b"me", 0.0)
    with pytest.raises(Refused) as wrong:
        rooms.enter(NAME, b"guess", 0.0)
    assert status(wrong) == 403
    assert rooms.enter(NAME, PROOF, 0.0)[0] == b"offer"


def test_tokens_of_others() -> None:
    rooms = Rooms()
    maker = rooms.open(NAME, DOOR, b"offer", b"me", 0.0)
    _, guest = rooms.enter(NAME, PROOF, 0.0)
    for call in (
        lambda: rooms.take(NAME, guest, 0.0),
        lambda: rooms.close(NAME, guest, 0.0),
        lambda: rooms.reply(NAME, maker, b"answer", 0.0),
    ):
        with pytest.raises(Refused) as caught:
            call()
        assert status(caught) == 403


def test_rooms_end() -> None:
    rooms = Rooms()
    rooms.open(NAME, DOOR, b"offer", b"me", 0.0)
    with pytest.raises(Refused) as over:
        rooms.enter(NAME, PROOF, 600.0)
    assert status(over) == 404
    assert len(rooms) == 0
    rooms.open(NAME, DOOR, b"offer", b"me", 601.0)


def test_a_closed_room_lets_nobody_in() -> None:
    rooms = Rooms()
    maker = rooms.open(NAME, DOOR, b"offer", b"me", 0.0)
    rooms.close(NAME, maker, 1.0)
    with pytest.raises(Refused) as caught:
        rooms.enter(NAME, PROOF, 2.0)
    assert status(caught) == 410


def test_limits() -> None:
    rooms = Rooms(Limits(rooms=3, rooms_each=2))
    names = [f"{n:012d}" for n in range(5)]
    for name in names[:2]:
        rooms.open(name, DOOR, b"offer", b"me", 0.0)
    with pytest.raises(Refused) as mine:
        rooms.open(names[2], DOOR, b"offer", b"me", 0.0)
    assert status(mine) == 429
    rooms.open(names[3], DOOR, b"offer", b"you", 0.0)
    with pytest.raises(Refused) as all_taken:
        rooms.open(names[4], DOOR, b"offer", b"they", 0.0)
    assert status(all_taken) == 503
    rooms.open(names[4], DOOR, b"offer", b"me", 600.0)  # the old ones are over


@pytest.mark.parametrize(
    ("name", "door", "offer", "expected"),
    [
        ("short", DOOR, b"x", 400),
        (NAME, b"", b"x", 400),
        (NAME, DOOR, b"", 400),
        (NAME, DOOR, bytes(OFFER_BYTES + 1), 413),
    ],
)
def test_what_is_refused(name: str, door: bytes, offer: bytes, expected: int) -> None:
    with pytest.raises(Refused) as caught:
        Rooms().open(name, door, offer, b"me", 0.0)
    assert status(caught) == expected


def test_flood_counts_each_address() -> None:
    flood = Flood(Limits(burst=3, rate=1.0))
    one, other = flood.caller("10.0.0.1"), flood.caller("10.0.0.2")
    assert [flood.allows(one, 0.0) for _ in range(4)] == [True, True, True, False]
    assert flood.allows(other, 0.0)
    assert not flood.allows(one, 0.5)
    assert flood.allows(one, 1.5)


def test_a_network_of_ipv6_is_one_caller() -> None:
    flood = Flood(Limits())
    assert flood.caller("2001:db8:0:1::1") == flood.caller("2001:db8:0:1:ffff::9%eth0")
    assert flood.caller("2001:db8:0:1::1") != flood.caller("2001:db8:0:2::1")
    assert flood.caller("::ffff:10.0.0.1") == flood.caller("10.0.0.1")
    assert flood.caller("10.0.0.1") != Flood(Limits()).caller("10.0.0.1")  # the key is its own


def test_connections_are_bounded() -> None:
    flood = Flood(Limits(connections=3, connections_each=2))
    one, other = flood.caller("10.0.0.1"), flood.caller("10.0.0.2")
    assert [flood.connect(one, 0.0) for _ in range(3)] == [True, True, False]
    assert [flood.connect(other, 0.0) for _ in range(2)] == [True, False]
    flood.disconnect(one)
    assert flood.connect(other, 0.0)


def test_flood_forgets() -> None:
    flood = Flood(Limits())
    busy = flood.caller("10.0.0.1")
    flood.connect(busy, 0.0)
    for number in range(20_050):
        flood.allows(number.to_bytes(8, "little"), 1.0)
    assert len(flood._callers) <= 20_001
    assert busy in flood._callers
