from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from facewire.codec.packet import Flags, Kind, Packet
from facewire.receiver.config import DecoderConfig
from facewire.receiver.ordering.lane import Arrival
from facewire.receiver.ordering.order import Order
from facewire.receiver.statistics import Statistics


def packet(sequence: int, kind: Kind = Kind.MOTION) -> Packet:
    return Packet(kind, Flags.NONE, 0, sequence % 65536, 0, b"")


def order(window: int = 8, reorder_ms: int = 60) -> tuple[Order, Statistics]:
    counts = Statistics()
    config = DecoderConfig(reorder_window=window, reorder_ms=reorder_ms)
    return Order(config, counts), counts


def pop(queue: Order, follows: bool = False) -> list[Arrival]:
    found = []
    while (arrival := queue.pop(lambda _: follows)) is not None:
        found.append(arrival)
    return found


def push(
    queue: Order, numbers: list[int], now: float | None = None, kind: Kind = Kind.MOTION
) -> list[int]:
    out = []
    for number in numbers:
        if queue.push(number % 65536, packet(number, kind), now):
            queue.begin_anew(now)
        out += [arrival.packet.sequence for arrival in pop(queue)]
    return out


def test_in_order_passes_at_once() -> None:
    queue, _ = order()
    for number in range(65_530, 65_550):
        assert push(queue, [number]) == [number % 65_536]


def test_a_gap_is_waited_for_and_then_given_up() -> None:
    queue, counts = order(window=3)
    assert push(queue, [0, 2, 3, 4]) == [0]
    assert len(queue) == 3
    assert not queue.push(5, packet(5), None)
    arrivals = [(a.packet.sequence, a.lost_before) for a in pop(queue)]
    assert arrivals == [(2, 1), (3, 0), (4, 0), (5, 0)]
    assert push(queue, [1]) == []
    assert (counts.lost, counts.late, counts.duplicates) == (1, 1, 0)
    assert push(queue, [4, 4]) == []
    assert counts.duplicates == 2


def test_with_a_clock_a_gap_is_waited_for_by_time_alone() -> None:
    queue, counts = order(window=0, reorder_ms=60)
    assert push(queue, [0, *range(2, 50)], 1.0) == [0]
    queue.expire(1.059)
    assert pop(queue) == []
    queue.expire(1.061)
    assert [a.packet.sequence for a in pop(queue)] == list(range(2, 50))
    assert counts.lost == 1


def test_window_of_zero_takes_every_gap_as_a_loss() -> None:
    queue, _ = order(window=0)
    assert push(queue, [0, 5, 3, 6]) == [0, 5, 6]


def test_what_follows_by_its_time_does_not_wait() -> None:
    queue, counts = order()
    assert push(queue, [0, 2]) == [0]
    assert [a.packet.sequence for a in pop(queue, follows=True)] == [2]
    assert push(queue, [1], kind=Kind.AUDIO) == [1]  # that is what was missing
    assert (counts.lost, counts.late) == (0, 0)


def test_unknown_kinds_count_as_having_come() -> None:
    queue, counts = order()
    assert push(queue, [0]) == [0]
    queue.push(1, None, None)
    assert push(queue, [2]) == [2]
    assert counts.lost == 0
    received = queue.received
    assert received is not None
    assert list(received.numbers()) == [2, 1, 0]


def test_a_sender_that_counts_anew_loses_nothing() -> None:
    for start in (30_000, 7, 60_000):
        queue, _ = order()
        assert push(queue, list(range(100, 200))) == list(range(100, 200))
        begun = list(range(start, start + 40))
        assert push(queue, begun) == begun
    queue, _ = order()
    push(queue, list(range(100, 200)), 1.0)
    out = [n for step in range(40) for n in push(queue, [step], 2 + step / 40)]
    assert out == list(range(40))


def test_copies_of_what_came_do_not_look_like_a_new_count() -> None:
    queue, counts = order()
    push(queue, list(range(100)), 1.0)
    assert push(queue, list(range(50, 100)), 1.1) == []  # a burst of copies is over in a moment
    assert push(queue, [100], 2.0) == [100]
    assert counts.duplicates == 50


def test_stray_packets_between_others_change_nothing() -> None:
    queue, counts = order()
    for number in range(200):
        assert push(queue, [number]) == [number]
        assert push(queue, [number + 2900]) == []
    assert counts.stray == 200
    assert counts.lost == 0


def test_an_outage_is_no_stray() -> None:
    queue, counts = order()
    push(queue, list(range(100)), 1.0)
    # Nothing came for so long that what is missing was sent long ago: it is not waited for.
    assert push(queue, [600], 11.0) == [600]
    assert (counts.lost, counts.stray) == (500, 0)


def test_the_new_count_tells_whether_it_has_a_stream_packet() -> None:
    for kind in (Kind.STREAM, Kind.MOTION):
        queue, _ = order()
        push(queue, list(range(100, 200)))
        queue.push(0, packet(0, kind), None)
        while not queue.push(1, packet(1), None):
            for number in range(2, 30):
                if queue.push(number, packet(number), None):
                    break
            break
        assert queue.begin_anew(None) == (kind == Kind.STREAM)


def test_what_waits_is_bounded() -> None:
    queue, _ = order(reorder_ms=10_000)
    push(queue, [0], 1.0)
    for number in range(2, 3000):
        queue.push(number, packet(number), 1.0)
        pop(queue)
        assert len(queue) <= 256


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 65_535),
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=23),
    st.integers(0, 12),
    st.booleans(),
)
def test_each_number_once_in_rising_order(
    start: int, offsets: list[tuple[int, bool]], room: int, clock: bool
) -> None:
    queue, counts = order(window=room, reorder_ms=room * 10)
    now = 1.0
    out: list[Packet] = []
    for offset, sound in [(30, False), *offsets]:
        kind = Kind.AUDIO if sound else Kind.MOTION
        one = packet(start + offset, kind)
        assert not queue.push(one.sequence, one, now if clock else None)
        out += [arrival.packet for arrival in pop(queue)]
        now += 0.01
    queue.give_up()
    out += [arrival.packet for arrival in pop(queue)]
    for kind in (Kind.AUDIO, Kind.MOTION):
        unwrapped = [(p.sequence - start) % 65_536 for p in out if p.kind == kind]
        assert unwrapped == sorted(set(unwrapped))
    assert len(out) + counts.duplicates + counts.late == 1 + len(offsets)
    assert len(queue) == 0
    assert replace(out[0], sequence=0) == packet(0)
