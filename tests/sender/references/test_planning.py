"""Which frames become references."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facewire.sender.appearance import Appearance
from facewire.sender.rate.control import MIN_PICTURE
from facewire.sender.references.expected import USUAL, PictureLoss
from facewire.sender.references.known_references import KnownReferences
from facewire.sender.references.planning import MOST, Budget, Planned, plan_references

from ..poses import Points, looks, reference, turned


def planned(points: Points, known: KnownReferences | None = None, **settings: Any) -> list[Planned]:
    asked: dict[str, Any] = {"room": 10_000, "overhead": 200, "size": 3000} | settings
    first, pictures = asked.pop("first", True), asked.pop("pictures", USUAL)
    frames = looks(points)
    before = (known or KnownReferences(4)).losses(frames)
    return plan_references(
        frames, before, Budget(**asked), fps=25.0, first=first, pictures=pictures
    )


def plan(points: Points, known: KnownReferences | None = None, **settings: Any) -> list[int]:
    """The frames before which references are sent."""
    return [one.use for one in planned(points, known, **settings)]


def looking(*yaws: float, each: int = 40) -> Points:
    return np.repeat(np.stack([turned(yaw) for yaw in yaws]), each, axis=0)


def test_each_pose_gets_a_reference_when_it_comes() -> None:
    assert plan(looking(0, 0.9, -0.9)) == [0, 40, 80]


def test_a_face_that_turns_back_needs_no_new_one() -> None:
    assert plan(looking(0, 0.9, 0, 0.9, 0)) == [0, 40]


def test_a_small_rate_is_not_cut_into_pieces() -> None:
    assert plan(looking(0, 0.9, -0.9), room=1500) == [0]


def test_a_still_head_has_one() -> None:
    assert plan(looking(0)) == [0]


def test_known_references_serve_on() -> None:
    known = KnownReferences(4)
    known.add(reference(0, turned(0), USUAL(3000)))
    assert plan(looking(0, 0.9), known, first=False, room=3500) == [40]
    assert plan(looking(0, 0.9), known, first=False, room=500) == []
    assert plan(looking(0, 0.9), known, first=True) == [0, 40]


def test_room_that_nothing_is_expected_to_need_goes_into_one_more_picture() -> None:
    known = KnownReferences(4)
    known.add(reference(0, turned(0)))
    (one,) = planned(looking(0), known, first=False, room=3000)
    assert one.picture == 3000 - 200
    assert planned(looking(0), known, first=False, room=600) == []
    assert planned(looking(0), known, first=False, room=None) == []


def test_without_a_rate_a_reference_must_be_worth_its_bytes() -> None:
    assert plan(looking(0, 0.9, each=100), room=None) == [0, 100]
    assert plan(looking(0, 0.9, each=100), room=None, size=60_000) == [0]
    assert plan(looking(0, 0.9, each=100), room=None, most=1) == [0]


def test_there_is_a_most() -> None:
    yaws = np.linspace(-1.2, 1.2, 40)
    found = plan(looking(*yaws, each=5), room=1_000_000)
    assert 1 < len(found) <= MOST
    assert found == sorted(set(found))


def test_a_reference_may_show_a_moment_to_come() -> None:
    turning = np.stack([turned(yaw) for yaw in np.linspace(0, 1, 100)])
    (only,) = planned(turning, room=1500)
    assert only.use == 0
    assert 30 < only.frame < 70


def test_what_serves_more_frames_has_more_bytes() -> None:
    points = np.concatenate([looking(0, each=20), looking(0.9, -0.9, each=100)])
    still, *others = planned(points, room=9000)
    assert [one.use for one in others] == [20, 120]
    assert still.picture < others[0].picture
    assert others[0].picture == pytest.approx(others[1].picture)
    assert still.picture + sum(one.picture for one in others) == pytest.approx(9000 - 3 * 200)
    assert still.loss > others[0].loss


@pytest.mark.parametrize("room", [0, 700, 1500, 1900, 4000, 20_000])
def test_no_picture_is_cut_too_small_and_the_room_is_kept(room: int) -> None:
    found = planned(looking(0, 0.9, -0.9, 0.5), room=room)
    assert all(one.picture >= MIN_PICTURE for one in found)
    assert len(found) == 1 or sum(one.picture + 200 for one in found) <= room + 1


def test_a_face_that_more_bytes_hardly_help_gets_more_references() -> None:
    points, usual = looking(0, 0.15, -0.15), USUAL
    slow = PictureLoss(usual(1500) * 1500**0.3, 0.3)
    steep = PictureLoss(usual(1500) * 1500**1.6 * 4, 1.6)
    assert len(plan(points, room=5000, pictures=slow)) > len(
        plan(points, room=5000, pictures=steep)
    )


def test_no_face_no_reference() -> None:
    empty, none = np.zeros((0, 1), np.uint8), np.zeros((0, 130, 2), np.float32)
    looks = Appearance(none, empty, empty, empty, empty, np.zeros(0, np.bool_))
    budget = Budget(room=10_000, overhead=200, size=3000)
    assert plan_references(looks, np.zeros(0), budget, fps=25.0, first=True) == []
