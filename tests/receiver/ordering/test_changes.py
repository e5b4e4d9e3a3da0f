from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from facewire.codec.packet import Kind, Packet
from facewire.codec.stream import StreamHeader
from facewire.receiver.ordering.changes import StreamChanges

FIRST, SECOND, THIRD = (StreamHeader("avfr-s", bytes(32), fps=Fraction(n)) for n in (25, 30, 50))


def stream(header: StreamHeader, sequence: int) -> tuple[StreamHeader, Packet]:
    return header, header.to_packet(sequence)


def follows(changes: StreamChanges, header: StreamHeader, sequence: int) -> bool:
    pair = stream(header, sequence)
    allowed = changes.allows(*pair)
    if allowed:
        changes.follow(*pair)
    return allowed


def pass_seconds(changes: StreamChanges, seconds: int) -> None:
    for _ in range(25 * seconds):
        changes.pass_time(Kind.MOTION, Fraction(1, 25))


def test_the_first_change_is_free_and_later_ones_are_a_second_apart() -> None:
    changes = StreamChanges()
    assert follows(changes, FIRST, 0)
    assert follows(changes, SECOND, 10)
    assert not follows(changes, THIRD, 20)
    changes.pass_time(Kind.AUDIO, Fraction(24, 25))
    changes.pass_time(Kind.MOTION, Fraction(24, 25))  # of the same second
    assert not follows(changes, THIRD, 20)
    changes.pass_time(Kind.AUDIO, Fraction(1, 25))
    assert follows(changes, THIRD, 20)


def test_one_packet_passes_a_second_at_most() -> None:
    changes = StreamChanges()
    assert follows(changes, FIRST, 0)
    assert follows(changes, SECOND, 1)
    changes.pass_time(Kind.MOTION, Fraction(10**6))
    assert follows(changes, THIRD, 2)
    assert not follows(changes, FIRST, 3)


def test_a_late_copy_of_the_old_stream_is_not_followed() -> None:
    changes = StreamChanges()
    assert follows(changes, FIRST, 65_530)
    pass_seconds(changes, 2)
    assert follows(changes, SECOND, 10)  # the number wraps
    pass_seconds(changes, 2)
    assert follows(changes, SECOND, 60)
    for old in (65_530, 65_535, 5, 60):
        assert not follows(changes, FIRST, old)
    assert follows(changes, FIRST, 61)  # the sender changed back


def test_a_restarted_sender_is_followed() -> None:
    changes = StreamChanges()
    assert follows(changes, FIRST, 40_000)
    pass_seconds(changes, 2)
    assert follows(changes, SECOND, 0)
    pass_seconds(changes, 2)
    assert follows(changes, FIRST, 30_000)
    assert follows(changes, FIRST, 2)


def test_by_the_clock_a_second_is_a_second() -> None:
    changes = StreamChanges()
    for now, header, allowed in (
        (1.0, FIRST, True),
        (1.1, SECOND, True),
        (2.0, THIRD, False),
        (2.2, THIRD, True),
    ):
        assert changes.allows(*stream(header, int(10 * now)), now) == allowed
        if allowed:
            changes.follow(*stream(header, int(10 * now)), now)


def test_a_session_that_was_left_is_never_followed_again() -> None:
    old, new = replace(FIRST, session=5), replace(FIRST, session=6)
    changes = StreamChanges()
    assert follows(changes, old, 500)
    assert follows(changes, new, 0)
    pass_seconds(changes, 2)
    assert not any(follows(changes, old, number) for number in (0, 1, 501, 40_000))
    assert follows(changes, replace(new, fps=Fraction(30)), 60)  # the same session may change
