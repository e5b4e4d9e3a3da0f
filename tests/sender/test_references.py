"""What the sender knows of its references, and what it plans."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from facewire.codec.motion import MotionFrame
from facewire.codec.still import decode_picture, encode_picture
from facewire.sender.planning import MOST, Planned, plan_references
from facewire.sender.rate import MIN_PICTURE
from facewire.sender.references import (
    KnownReferences,
    PictureLoss,
    Reference,
    coded_loss,
    expected_losses,
    picture_loss,
    pose_change,
    structure_loss,
    typical,
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


def planned(
    points: Points, known: KnownReferences | None = None, **settings: object
) -> list[Planned]:
    asked = {"room": 10_000, "overhead": 200, "size": 3000, "fps": 25.0, "first": True}
    before = (known or KnownReferences(4)).losses(points)
    return plan_references(points, before, **asked | settings)  # type: ignore[arg-type]


def plan(points: Points, known: KnownReferences | None = None, **settings: object) -> list[int]:
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
    points, usual = looking(0, 0.15, -0.15), PictureLoss()
    slow = PictureLoss(usual(1500) * 1500**0.3, 0.3)
    steep = PictureLoss(usual(1500) * 1500**1.6 * 4, 1.6)
    assert len(plan(points, room=5000, pictures=slow)) > len(
        plan(points, room=5000, pictures=steep)
    )


def portrait(contrast: float, seed: int = 3) -> npt.NDArray[np.uint8]:
    """Blobs of all sizes."""
    noise = np.random.default_rng(seed)
    total = np.zeros((256, 256))
    for side in (4, 8, 16, 32, 64):
        total += np.kron(noise.normal(0, 1, (side, side)), np.ones((256 // side, 256 // side)))
    grey = 128 + contrast * total / total.std()
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def test_structure_that_is_lost_counts_and_not_the_error() -> None:
    def dull(picture: npt.NDArray[np.uint8], by: float) -> npt.NDArray[np.uint8]:
        mean = picture.astype(np.float32).mean((0, 1))
        return np.asarray(mean + (picture - mean) * by, np.uint8)

    strong, faint = portrait(40), portrait(8)
    assert structure_loss(strong, strong) == pytest.approx(0, abs=1e-6)
    losses = [structure_loss(strong, dull(strong, by)) for by in (0.9, 0.6, 0.3, 0)]
    assert losses == sorted(losses)
    assert losses[-1] == pytest.approx(1, abs=0.05)
    noise = np.random.default_rng(5).integers(-6, 7, strong.shape)
    assert structure_loss(faint, (faint + noise).clip(0, 255).astype(np.uint8)) > 2 * (
        structure_loss(strong, (strong + noise).clip(0, 255).astype(np.uint8))
    )


def test_what_pictures_of_a_face_lose_is_known_from_two_codings() -> None:
    picture = portrait(30)
    expected = PictureLoss.of(picture)
    for quality in (55, 50, 45, 40):
        coded = encode_picture(picture, quality=quality)
        lost = coded_loss(picture, decode_picture(coded))
        assert expected(len(coded.data)) == pytest.approx(lost, rel=0.35)
    flat = np.full((256, 256, 3), 90, np.uint8)
    assert PictureLoss.of(flat)(1000) < expected(1000)


def test_the_typical_frame_is_in_the_middle() -> None:
    turning = np.stack([turned(yaw) for yaw in np.linspace(0, 1, 101)])
    assert 40 <= typical(turning) <= 60


def test_no_face_no_reference() -> None:
    assert plan(np.zeros((0, 130, 2), np.float32)) == []
