"""What the sender knows of its references, and what it plans."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.motion import MotionFrame
from facewire.sender.planning import MOST, plan_references
from facewire.sender.references import (
    KnownReferences,
    Reference,
    expected_losses,
    picture_loss,
    pose_change,
)

Points = npt.NDArray[np.float32]
FACE = np.random.default_rng(4).uniform(-0.5, 0.5, (130, 2)).astype(np.float32)
STILL = MotionFrame(np.zeros((10, 2), np.float32), np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)))


def turned(yaw: float) -> Points:
    """The face, its sides drawn together as by a turn of the head."""
    return (FACE * [np.cos(yaw), 1] + [0.3 * np.sin(yaw), 0]).astype(np.float32)


def reference(identity: int, points: Points, loss: float = 0.0) -> Reference:
    picture = np.zeros((2, 2, 3), np.uint8)
    return Reference(identity, None, 0, STILL, b"", points, picture, loss)


def test_the_same_pose_loses_nothing() -> None:
    assert expected_losses(FACE, FACE[None]) == pytest.approx([0])


def test_a_face_that_is_only_moved_bends_nothing() -> None:
    angle = 0.4
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (FACE @ rotation.T * 1.2 + [0.1, -0.2]).astype(np.float32)
    distance, bend = pose_change(FACE, moved[None])
    assert distance[0] > 0.1
    assert bend[0] < 1e-6


def test_the_further_it_turns_the_more_is_lost() -> None:
    frames = np.stack([turned(yaw) for yaw in np.linspace(0, 1.2, 9)])
    assert (np.diff(expected_losses(FACE, frames)) > 0).all()


def test_larger_pictures_lose_less() -> None:
    losses = [picture_loss(size) for size in (700, 1500, 3000, 10_000)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] > 0


def test_the_nearest_reference_is_chosen_and_kept_while_others_are_hardly_better() -> None:
    known = KnownReferences(4)
    assert known.best(FACE) is None
    front, side = reference(0, turned(0)), reference(1, turned(0.8))
    known.add(front)
    known.add(side)
    assert known.best(turned(0.1)) is front
    assert known.best(turned(0.7)) is side

    def apart(yaw: float) -> float:
        losses = [expected_losses(r.points, turned(yaw)[None])[0] for r in known]
        return abs(float(losses[0] - losses[1]))

    middle = float(min(np.linspace(0, 0.8, 200), key=apart))
    assert known.best(turned(middle - 0.005)) is side
    assert known.best(turned(0)) is front
    assert known.best(turned(middle + 0.005)) is front


def test_the_one_not_used_for_longest_goes() -> None:
    known = KnownReferences(2)
    for identity, yaw in ((0, 0.0), (1, 0.8)):
        known.add(reference(identity, turned(yaw)))
    assert known.best(turned(0)) is not None
    known.add(reference(2, turned(-0.8)))
    assert {r.id for r in known} == {0, 2}
    known.clear()
    assert list(known) == []
    assert np.isinf(known.losses(FACE[None])).all()


def plan(points: Points, known: KnownReferences | None = None, **settings: object) -> list[int]:
    asked = {"room": 10_000, "overhead": 200, "size": 3000, "fps": 25.0, "first": True}
    return plan_references(points, known or KnownReferences(4), **asked | settings)  # type: ignore[arg-type]


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
    known.add(reference(0, turned(0), picture_loss(3000)))
    assert plan(looking(0, 0.9), known, first=False, room=3500) == [40]
    assert plan(looking(0, 0.9), known, first=False, room=500) == []
    assert plan(looking(0, 0.9), known, first=True) == [0, 40]


def test_without_a_rate_a_reference_must_be_worth_its_bytes() -> None:
    assert plan(looking(0, 0.9, each=100), room=None) == [0, 100]
    assert plan(looking(0, 0.9, each=100), room=None, size=60_000) == [0]
    assert plan(looking(0, 0.9, each=100), room=None, most=1) == [0]


def test_there_is_a_most() -> None:
    yaws = np.linspace(-1.2, 1.2, 40)
    found = plan(looking(*yaws, each=5), room=1_000_000)
    assert 1 < len(found) <= MOST
    assert found == sorted(set(found))


def test_no_face_no_reference() -> None:
    assert plan(np.zeros((0, 130, 2), np.float32)) == []
