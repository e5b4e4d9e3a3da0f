"""Which picture is shown when."""

from __future__ import annotations

from fractions import Fraction

from facewire.call.playing.pictures import PictureQueue
from facewire.receiver.tracks.pictures import DuePicture


def due(index: int, *, concealed: bool = False) -> DuePicture:
    return DuePicture(None, Fraction(index, 25), concealed, False)


def test_the_newest_whose_time_has_come_is_shown_and_older_ones_are_skipped() -> None:
    queue = PictureQueue()
    for index in range(5):
        queue.push(due(index), 1.0)
    chosen = queue.choose(0.1, 1.0)
    assert chosen is not None
    assert chosen.pts == Fraction(3, 25)
    assert queue.skipped == 3
    assert queue.choose(0.1, 1.0) is None
    assert len(queue) == 1


def test_without_sound_pictures_keep_the_delay_that_nearly_all_of_them_need() -> None:
    queue = PictureQueue()
    ages = []
    now = 0.0
    for index in range(250):
        arrives = index / 25 + 0.1 + 0.04 * (index % 3)
        while now < arrives:
            chosen = queue.choose(None, now)
            if chosen is not None:
                ages.append(now - float(chosen.pts))
            now += 0.005
        queue.push(due(index), now)
    assert min(ages[50:]) > 0.15
    assert max(ages[50:]) < 0.23
    assert queue.skipped < 10


def test_what_is_never_shown_does_not_pile_up() -> None:
    queue = PictureQueue()
    for index in range(5000):
        queue.push(due(index), index / 25)
    assert len(queue) == 512
    assert queue.skipped == 5000 - 512


def test_made_up_pictures_do_not_move_the_delay() -> None:
    queue = PictureQueue()
    queue.push(due(0), 0.1)
    before = queue.delay_s
    queue.push(due(1, concealed=True), 5.0)
    assert queue.delay_s == before
