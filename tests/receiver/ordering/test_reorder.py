from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.packet import Flags, Kind, Packet
from facewire.receiver.ordering.reorder import ReorderWindow
from facewire.receiver.statistics import Statistics


def packet(sequence: int) -> Packet:
    return Packet(Kind.CONTROL, Flags.NONE, 0, sequence % 65536, 0, b"")


def push(window: ReorderWindow, numbers: list[int]) -> list[int]:
    return [a.packet.sequence for n in numbers for a in window.push(packet(n))]


def test_in_order_passes_at_once() -> None:
    window = ReorderWindow(8, Statistics())
    for number in range(65_530, 65_550):
        assert push(window, [number]) == [number % 65_536]


def test_hole_is_waited_for_and_then_given_up() -> None:
    counts = Statistics()
    window = ReorderWindow(3, counts)
    assert push(window, [0, 2, 3, 4]) == [0]
    assert len(window) == 3
    arrivals = window.push(packet(5))
    assert [(a.packet.sequence, a.lost_before) for a in arrivals] == [
        (2, 1),
        (3, 0),
        (4, 0),
        (5, 0),
    ]
    assert push(window, [1]) == []
    assert (counts.lost, counts.late, counts.duplicates) == (1, 1, 0)
    assert push(window, [1, 4]) == []
    assert counts.duplicates == 2


def test_window_of_zero_takes_every_hole_as_a_loss() -> None:
    window = ReorderWindow(0, Statistics())
    assert push(window, [0, 5, 3, 6]) == [0, 5, 6]


def test_restarted_sender_is_followed() -> None:
    counts = Statistics()
    window = ReorderWindow(4, counts)
    assert push(window, [100, 101, 30_000, 30_001]) == [100, 101, 30_000, 30_001]
    assert push(window, [7, 8]) == [7, 8]
    assert counts.late == 0


def test_flush_gives_all_in_order() -> None:
    window = ReorderWindow(8, Statistics())
    assert push(window, [10, 14, 12]) == [10]
    assert [(a.packet.sequence, a.lost_before) for a in window.flush()] == [(12, 1), (14, 1)]
    assert window.flush() == []


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 65_535),
    st.lists(st.integers(0, 60), max_size=200),
    st.integers(0, 12),
)
def test_each_number_once_in_rising_order(start: int, offsets: list[int], room: int) -> None:
    counts = Statistics()
    window = ReorderWindow(room, counts)
    out = push(window, [start + 30, *(start + n for n in offsets)])
    out += [a.packet.sequence for a in window.flush()]
    unwrapped = [(n - start) % 65_536 for n in out]
    assert unwrapped == sorted(set(unwrapped))
    assert len(out) + counts.duplicates + counts.late == 1 + len(offsets)
    assert len(window) == 0
