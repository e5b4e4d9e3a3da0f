"""Which picture of a call stands for a moment, and the sheet of them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.concealment_sheet import CAPTION, SIDE, at, moments, paced, sheet
from tests.call.sides import Shown


def shown(at_s: float, taken: float, *, made_up: bool = False) -> Shown:
    return Shown(at_s, taken, made_up, np.zeros((8, 8, 3), np.uint8), None)


def test_the_newest_picture_that_was_on_the_screen_in_time() -> None:
    seen = [shown(1.2, 1.0), shown(1.3, 1.04, made_up=True), shown(2.0, 1.08)]
    assert at(seen, 0.9) is None
    assert at(seen, 1.0) is seen[0]
    assert at(seen, 1.04) is seen[1]
    assert at(seen, 1.08) is seen[1]  # the next one came too late for this moment
    assert at(seen, 1.7) is seen[2]


def test_moments_begin_before_the_gap_and_end_after_it() -> None:
    times = moments(1.0, 10)
    assert len(times) == 10
    assert times == sorted(times)
    assert times[0] < 0
    assert times[-1] == pytest.approx(1.6)


def test_any_rate_becomes_25_pictures_a_second() -> None:
    for fps in (10, 25, 30, 60):
        frames = ((np.full((9, 9, 3), n, np.uint8), n / fps) for n in range(fps))
        film = paced(frames)
        assert 23 <= len(film) <= 26
        numbers = [int(picture[0, 0, 0]) for picture in film]
        assert numbers == sorted(numbers)
        away = np.abs(np.array(numbers) / fps - np.arange(len(film)) / 25)
        assert away.max() < max(1 / fps, 0.02) + 1e-6


def test_a_sheet_has_a_row_for_each_receiver_and_a_place_for_what_is_missing() -> None:
    picture = np.full((256, 256, 3), 200, np.uint8)
    made = sheet({"original": [(picture, "0.00 s")] * 2, "held": [None, (picture, "0.00 s")]})
    assert made.shape[0] == 2 * (SIDE + CAPTION)
    assert (made[SIDE // 3, -SIDE // 2] == 200).all()
    assert (made[SIDE + CAPTION + SIDE // 3, -SIDE - SIDE // 2 - 4] == 255).all()
