"""Links: whole ones are read, and each way of being wrong has its own sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facewire.call.meeting.link import Link, server_address
from facewire.codec.errors import ConfigError, LinkError


def test_round_trip() -> None:
    link = Link.make("https://call.example:8443")
    assert Link.parse(str(link)) == link
    assert Link.parse(f"  <{link}>\n") == link  # as a messenger may wrap it
    assert str(link).startswith("https://call.example:8443/")


def test_two_links_have_nothing_in_common() -> None:
    one, other = Link.make("http://10.0.0.1:80"), Link.make("http://10.0.0.1:80")
    assert one.room != other.room
    assert one.secret != other.secret


def test_no_representation_shows_the_secret() -> None:
    link = Link.make("http://10.0.0.1:80")
    assert str(link).partition("#")[2] not in repr(link)
    with pytest.raises(LinkError) as caught:
        server_address(str(link))
    assert str(link).partition("#")[2] not in str(caught.value)


@given(st.integers(1, 23))
def test_a_link_that_was_cut_anywhere_in_its_secret(kept: int) -> None:
    text = str(Link.make("http://10.0.0.1:8000"))
    head, _, fragment = text.partition("#")
    with pytest.raises(LinkError, match="missing"):
        Link.parse(f"{head}#{fragment[:kept]}")


@given(st.integers(0, 23), st.sampled_from("abcXYZ019-_"))
def test_one_wrong_letter_is_seen(place: int, letter: str) -> None:
    text = str(Link.make("http://10.0.0.1:8000"))
    head, _, fragment = text.partition("#")
    wrong = fragment[:place] + letter + fragment[place + 1 :]
    if wrong != fragment:
        with pytest.raises(LinkError, match="wrong"):
            Link.parse(f"{head}#{wrong}")


def test_a_wrong_letter_in_the_room_is_seen() -> None:
    link = Link.make("http://10.0.0.1:8000")
    other = ("A" if link.room[0] != "A" else "B") + link.room[1:]
    with pytest.raises(LinkError, match="wrong"):
        Link.parse(str(link).replace(link.room, other))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "letters"),
        ("x" * 401, "letters"),
        ("talk.mp4", "not a link"),
        ("ftp://host/AAAAAAAAAAAA#" + "A" * 24, "no address of a server"),
        ("http://host:80/AAAAAAAAAAAA", "before its secret"),
        ("http://host:80/AAAA#" + "A" * 24, "missing"),
        ("http://host:99999/AAAAAAAAAAAA#" + "A" * 24, "port"),
        ("http://me:pw@host/AAAAAAAAAAAA#" + "A" * 24, "HOST:PORT"),
        ("http://host/a/AAAAAAAAAAAA#" + "A" * 24, "HOST:PORT"),
        ("http://ho st/AAAAAAAAAAAA#" + "A" * 24, "host name"),
    ],
)
def test_what_is_no_link(text: str, sentence: str) -> None:
    with pytest.raises(LinkError, match=sentence):
        Link.parse(text)


@given(st.text(max_size=120))
def test_any_text_is_a_link_or_a_sentence(text: str) -> None:
    with pytest.raises(LinkError):
        Link.parse(text)


@pytest.mark.parametrize(
    ("given_as", "meant"),
    [
        ("https://call.example", "https://call.example:443"),
        ("http://call.example/", "http://call.example:80"),
        ("http://[fd00::2]:8000", "http://[fd00::2]:8000"),
    ],
)
def test_addresses(given_as: str, meant: str) -> None:
    assert server_address(given_as) == meant


def test_meeting_again() -> None:
    """Both sides know where, the rooms differ, and none tells of another."""
    link = Link.make("http://10.0.0.1:8000")
    rooms = [link, *(link.again(number) for number in range(1, 20))]
    assert Link.parse(str(link)).again(3) == rooms[3]
    assert len({room.room for room in rooms}) == len({room.secret for room in rooms}) == 20
    assert Link.parse(str(rooms[5])) == rooms[5]


def test_a_room_of_the_wrong_length() -> None:
    with pytest.raises(ConfigError):
        Link("http://h:80", "short", bytes(16))
