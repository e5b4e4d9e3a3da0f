"""What each side says of itself before they connect: read back, or refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.call.abilities import Abilities
from facewire.call.meeting.codes import AnswerCode, OfferCode, is_offer
from facewire.call.meeting.description import Candidate, Description
from facewire.codec.errors import ConfigError, LinkError, PeerError

HOST = Candidate("host", "192.168.0.2", 50000, 2130706431)
RELAY = Candidate("relay", "2001:db8::2", 443, 1)
OURS = Description("abcd", "p" * 22, bytes(range(32)), (HOST, RELAY), bytes(16), b"abilities")
NETWORKS = ("avfr-s:00112233", "avfr-xs:44556677")
ABLE = Abilities("0.1.0", 1, 1, NETWORKS, "avfr-s:00112233", ("e",), bytes(range(32)))
OTHER = replace(ABLE, key=bytes(range(1, 33)))


def test_round_trip() -> None:
    assert Description.parse(bytes(OURS)) == OURS
    assert Abilities.parse(bytes(ABLE)) == ABLE
    fusing = replace(ABLE, base=True)
    assert Abilities.parse(bytes(fusing)) == fusing
    assert len(bytes(replace(OURS, abilities=b""))) < 160


@given(st.binary(max_size=200))
def test_garbage(data: bytes) -> None:
    with pytest.raises(PeerError):
        Description.parse(data)
    with pytest.raises(PeerError):
        Abilities.parse(data)


@given(st.integers(0, 200))
def test_cut_anywhere(kept: int) -> None:
    whole = bytes(OURS)
    if kept < len(whole):
        with pytest.raises(PeerError):
            Description.parse(whole[:kept])
    able = bytes(ABLE)
    if kept < len(able):
        with pytest.raises(PeerError):
            Abilities.parse(able[:kept])


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("v", 2, "same version"),
        ("v", None, "same version"),
        ("u", "a b", "damaged"),
        ("p", 5, "damaged"),
        ("f", bytes(31), "damaged"),
        ("c", [], "damaged"),
        ("c", [[0, bytes(4), 80, 1]], "damaged"),  # 0.0.0.0
        ("c", [[0, b"\xe0\0\0\x01", 80, 1]], "damaged"),  # multicast
        ("c", [[0, b"\xff\xff\xff\xff", 80, 1]], "damaged"),
        ("c", [[0, b"\x0a\0\0\x01", 0, 1]], "damaged"),
        ("c", [[0, "home.local", 80, 1]], "damaged"),  # a name would be looked up
        ("c", [[0, b"\x0a\0\0\x01", 80, 1]] * 13, "something else|damaged"),
        ("n", bytes(5), "damaged"),
        ("a", bytes(1025), "damaged"),
    ],
)
def test_what_is_refused(key: str, value: Any, sentence: str) -> None:
    fields = msgpack.unpackb(bytes(OURS))
    fields[key] = value
    with pytest.raises(PeerError, match=sentence):
        Description.parse(msgpack.packb(fields))


def test_a_list_where_a_map_belongs_and_too_much() -> None:
    for data in (msgpack.packb([1]), msgpack.packb(5), bytes(3000)):
        with pytest.raises(PeerError):
            Description.parse(data)


def test_a_name_is_no_address() -> None:
    with pytest.raises(ConfigError, match="numbers"):
        Candidate("host", "printer.local", 1, 1)


@pytest.mark.parametrize(
    "other",
    [
        OTHER,
        replace(OTHER, sends="avfr-xs:44556677", networks=(ABLE.sends,)),
        replace(OTHER, sends=""),
        replace(OTHER, profiles=("new", "e"), networks=(*NETWORKS, "avfr-l:00000000")),
    ],
)
def test_sides_that_fit(other: Abilities) -> None:
    """What goes over the line fits in both directions, and one network less does not."""
    there, back = Abilities.parse(bytes(other)), Abilities.parse(bytes(ABLE))
    back.fit(there)
    there.fit(back)
    with pytest.raises(PeerError, match="lacks the network"):
        back.fit(replace(there, networks=()))


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (replace(OTHER, wire=2), "another version"),
        (replace(OTHER, datagrams=2, version="0.9"), "facewire 0.9"),
        (replace(OTHER, sends="avfr-l:00000000"), "which is not here"),
        (replace(OTHER, networks=("avfr-xs:44556677",)), "--network"),
        (replace(OTHER, profiles=("new",)), "no way to code motion"),
        (ABLE, "own key"),
    ],
)
def test_sides_that_do_not_fit(other: Abilities, sentence: str) -> None:
    with pytest.raises(PeerError, match=sentence):
        ABLE.fit(other)


@given(st.binary(max_size=300))
def test_codes(sealed: bytes) -> None:
    code = OfferCode(OfferCode.nowhere(), sealed or b"x")
    assert is_offer(f" {code}")
    broken = "\n".join(str(code)[at : at + 40] for at in range(0, len(str(code)), 40))
    assert OfferCode.parse(broken) == code
    assert AnswerCode.parse(str(AnswerCode(sealed))) == AnswerCode(sealed)


@given(st.integers(0, 60), st.sampled_from("aZ9_"))
def test_codes_that_were_cut_or_changed(place: int, letter: str) -> None:
    code = str(OfferCode(OfferCode.nowhere(), bytes(range(20))))
    with pytest.raises(LinkError):
        OfferCode.parse(code[:place])
    changed = code[:place] + letter + code[place + 1 :]
    if changed != code:
        with pytest.raises(LinkError):
            OfferCode.parse(changed)


def test_codes_that_were_mixed_up() -> None:
    with pytest.raises(LinkError, match="FW2"):
        AnswerCode.parse(str(OfferCode(OfferCode.nowhere(), b"x")))
    with pytest.raises(LinkError, match="FW1"):
        OfferCode.parse("http://10.0.0.1:80/AAAAAAAAAAAA#x")
