from __future__ import annotations

from facewire.receiver.ordering.backwards import Backwards


def test_three_in_a_row_far_behind_say_that_time_went_back() -> None:
    back = Backwards(10)
    assert [back.push(behind) for behind in (11, 50, 12)] == [False, False, True]
    assert [back.push(behind) for behind in (11, 50, 9, 11, 12, 13)] == [False] * 5 + [True]


def test_copies_that_are_a_little_behind_say_nothing() -> None:
    back = Backwards(10)
    assert not any(back.push(behind) for behind in [1, 5, 10] * 20)
