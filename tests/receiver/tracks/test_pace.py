from __future__ import annotations

from facewire.receiver.tracks.pace import Pace


def test_frames_on_time_are_all_worth_it() -> None:
    pace = Pace()
    for n in range(0, 300, 3):  # three frames share a packet
        times = [n / 25, (n + 1) / 25, (n + 2) / 25]
        assert pace.room(times, 50 + (n + 3) / 25, 64) == 64


def test_a_caller_that_falls_behind_renders_four_a_second_until_it_has_caught_up() -> None:
    pace = Pace()
    clock, rendered, worst = 50.0, 0, 0.0
    for n in range(1000):
        clock = max(clock, 50 + n / 25)
        worst = max(worst, clock - 50 - n / 25)
        if pace.room([n / 25], clock, 64):
            clock += 0.06
            rendered += 1
    assert worst < 0.5
    assert rendered > 400  # of 666 for which there would be time


def test_a_longer_way_is_usual_after_a_moment() -> None:
    pace = Pace()
    for n in range(100):
        pace.room([n / 25], 50 + n / 25, 64)
    rooms = [pace.room([n / 25], 51 + n / 25, 64) for n in range(100, 150)]
    assert rooms[5:] == [64] * 45
    assert min(rooms[:5]) <= 1


def test_nothing_due_is_nothing_noted() -> None:
    pace = Pace()
    assert pace.room([], 50, 8) == 8
    assert pace.room([0.0], 90, 8) == 8
