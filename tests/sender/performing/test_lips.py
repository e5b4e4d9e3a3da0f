"""The mouth of a photograph as sound moves it; what it knows of mouths is made up here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from facewire.models.face.head import INNER_LIPS
from facewire.models.face.mesh import REGIONS, openings
from facewire.sender.performing.lips import Lips
from tests.sender.reenactment.faces import face, seen

RATE = 16_000
Points = npt.NDArray[np.float32]
PHOTO = seen(face()).landmarks


class Jaw:
    """Mouths whose lower lip hangs by so much, on top of the photograph's."""

    lookahead_ms = 0

    def __init__(self, by: float) -> None:
        self.by, self.heard = by, 0

    def reset(self) -> None:
        self.heard = 0

    def hear(self, pcm: Points, seconds: float) -> None:
        self.heard += len(pcm)

    def movement(self, seconds: float) -> Points:
        moved = np.zeros((40, 2), np.float32)
        moved[INNER_LIPS[1], 1] = self.by
        return moved

    def neutral(self, mouth: Points) -> Points:
        return mouth


def lips(by: float, level: float = 0.1) -> Lips:
    made = Lips(PHOTO, Jaw(by))
    quiet = 1e-3 * np.random.default_rng(1).standard_normal(RATE)
    loud = level * np.random.default_rng(2).standard_normal(RATE)
    made.hear(np.concatenate([quiet, loud]).astype(np.float32), 0.0, anew=True)
    return made


def test_while_nobody_speaks_it_is_the_photograph_s() -> None:
    assert np.array_equal(lips(0.1).moved(PHOTO, 0.5), PHOTO)
    assert np.array_equal(lips(0.1, level=1e-3).moved(PHOTO, 1.9), PHOTO)


def test_it_opens_with_the_voice_and_the_rest_of_the_face_stands() -> None:
    moved = lips(0.1).moved(PHOTO, 1.9)
    assert openings(moved)[1] > openings(PHOTO)[1] + 0.1
    upper = sorted({i for region in REGIONS[:5] for i in region})
    assert np.array_equal(moved[upper], PHOTO[upper])
    assert np.isfinite(moved).all()


def test_the_chin_and_the_cheeks_follow_the_lip() -> None:
    class Whole(Jaw):
        def movement(self, seconds: float) -> Points:
            moved = np.zeros((40, 2), np.float32)
            moved[[*range(11, 20), *range(31, 40)], 1] = self.by  # the lower lip
            return moved

    made = lips(0.0)
    made._mouths = Whole(0.1)
    moved = made.moved(PHOTO, 1.9) - PHOTO
    assert moved[152, 1] > 0.02
    assert moved[200, 1] > 0  # between chin and lip
    assert moved[[175, 199, 57], 1].min() >= 0
    assert moved[[175, 199, 57], 1].max() < moved[17, 1] + 0.05


def test_lips_do_not_overlap() -> None:
    moved = lips(-0.5).moved(PHOTO, 1.9)
    assert moved[14, 1] >= moved[13, 1] - 1e-6


@pytest.mark.parametrize("by", [np.nan, np.inf])
def test_a_mouth_that_nobody_has_is_left_out(by: float) -> None:
    assert np.array_equal(lips(by).moved(PHOTO, 1.9), PHOTO)


def test_after_a_reset_nothing_was_heard() -> None:
    made = lips(0.1)
    made.reset()
    assert np.array_equal(made.moved(PHOTO, 1.9), PHOTO)
