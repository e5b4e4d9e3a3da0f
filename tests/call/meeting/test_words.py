"""The words that two people compare."""

from __future__ import annotations

import pytest

from facewire.call.meeting.words import WORDS, commitment, commits_to, spoken
from facewire.codec.errors import ConfigError

ONE, OTHER = bytes(range(32)), bytes(range(32, 64))
N1, N2 = bytes(16), bytes(range(16))


def apart(one: str, other: str) -> bool:
    """Whether more than one letter must change, come or go to make one word of the other."""
    if abs(len(one) - len(other)) > 1:
        return True
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) > 1
    short, long = sorted((one, other), key=len)
    return all(long[:i] + long[i + 1 :] != short for i in range(len(long)))


def test_the_list() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256
    assert all(word.isascii() and word.islower() and 4 <= len(word) <= 10 for word in WORDS)
    assert all(apart(a, b) for i, a in enumerate(WORDS) for b in WORDS[i + 1 :])


def test_words_tell_every_difference() -> None:
    words = spoken(ONE, OTHER, N1, N2)
    assert len(words) == 4
    assert words == spoken(ONE, OTHER, N1, N2)
    changed = [
        spoken(OTHER, ONE, N1, N2),
        spoken(bytes(32), OTHER, N1, N2),
        spoken(ONE, bytes(32), N1, N2),
        spoken(ONE, OTHER, N2, N2),
        spoken(ONE, OTHER, N1, N1),
    ]
    assert all(words != other for other in changed)


def test_they_never_change() -> None:
    """Two versions of facewire must say the same words."""
    assert spoken(ONE, OTHER, N1, N2) == KNOWN


def test_commitment() -> None:
    assert commits_to(commitment(N1), N1)
    assert not commits_to(commitment(N1), N2)
    assert not commits_to(commitment(b""), b"")  # of the wrong length


def test_lengths() -> None:
    with pytest.raises(ConfigError):
        spoken(ONE[:31], OTHER, N1, N2)


KNOWN = ("goose", "zipper", "tulip", "biscuit")
