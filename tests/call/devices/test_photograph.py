"""A picture in the place of a camera, at the pace of a clock."""

from __future__ import annotations

import numpy as np

from facewire.call.devices.photograph import Photograph

PICTURE = np.full((8, 8, 3), 90, np.uint8)


def test_twenty_five_pictures_a_second_however_often_it_is_asked() -> None:
    eye = Photograph(PICTURE)
    looks = [eye.look(100 + n * 0.01) for n in range(1000)]
    assert all(look is None or look.frame is PICTURE for look in looks)
    assert sum(look is not None for look in looks) == 250
    assert not eye.ended
    assert eye.events() == []
    eye.close()


def test_after_a_pause_no_pictures_are_made_up_for() -> None:
    eye = Photograph(PICTURE)
    eye.look(0.0)
    assert eye.look(60.0) == (PICTURE, 60.0)
    assert eye.look(60.01) is None
    assert eye.look(60.041) is not None
