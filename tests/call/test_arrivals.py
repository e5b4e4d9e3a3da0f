"""What is reported of the datagrams that came, and what counts as lost."""

from __future__ import annotations

import random

from facewire.call.arrivals import ArrivalLog
from facewire.codec.control import MAX_ARRIVALS


def told(log: ArrivalLog, now: float) -> dict[int, float | None]:
    report = log.report(now)
    if report is None:
        return {}
    start = report.start / 1000
    return {
        (report.first + index) % 65536: None if time is None else start + time
        for index, time in enumerate(report.times)
    }


def test_nothing_is_told_before_anything_came() -> None:
    assert ArrivalLog().report(1.0) is None


def test_arrivals_are_told_with_their_times_and_again_in_the_next_report() -> None:
    log = ArrivalLog()
    for number in range(5):
        assert log.add(number, 10 + 0.1 * number)
    first = told(log, 10.5)
    assert set(first) == set(range(5))
    assert all(abs((first[n] or 0) - (10 + 0.1 * n)) < 1e-3 for n in range(5))
    log.add(5, 10.6)
    assert set(told(log, 10.7)) == set(range(6))


def test_a_copy_is_told_apart() -> None:
    log = ArrivalLog()
    assert log.add(7, 1.0)
    assert not log.add(7, 1.1)
    assert log.received == 1


def test_a_datagram_that_was_overtaken_is_not_called_lost_at_once() -> None:
    log = ArrivalLog()
    log.add(0, 1.0)
    log.add(2, 1.1)
    assert set(told(log, 1.12)) == {0}
    log.add(1, 1.14)
    assert None not in told(log, 1.2).values()
    assert log.lost == 0


def test_a_datagram_that_stays_away_is_lost_once() -> None:
    log = ArrivalLog()
    log.add(0, 1.0)
    log.add(2, 1.1)
    assert told(log, 1.3)[1] is None
    assert told(log, 1.4)[1] is None
    assert log.lost == 1


def test_numbers_wrap() -> None:
    log = ArrivalLog()
    for index in range(10):
        log.add((65530 + index) % 65536, index * 0.1)
    assert set(told(log, 1.0)) == {(65530 + index) % 65536 for index in range(10)}


def test_hostile_numbers_cost_no_memory_and_break_no_report() -> None:
    rng, log = random.Random(3), ArrivalLog()
    for index in range(20_000):
        log.add(rng.randrange(65536), index * 0.001)
        if index % 100 == 0 and (report := log.report(index * 0.001)) is not None:
            assert len(report.times) <= MAX_ARRIVALS
            assert report.start >= 0
    assert len(log._times) <= 4 * MAX_ARRIVALS


def test_a_pause_that_is_too_long_for_a_report_begins_another_one() -> None:
    log = ArrivalLog()
    for number in range(3):
        log.add(number, 1 + 0.1 * number)
    told(log, 1.3)
    log.add(5, 12.0)
    log.add(6, 12.1)
    found = told(log, 12.2)
    assert set(found) == {5, 6}
    assert abs((found[6] or 0) - 12.1) < 1e-3
