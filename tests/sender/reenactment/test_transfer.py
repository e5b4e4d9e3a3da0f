from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facewire.codec.errors import ConfigError, MediaError
from facewire.models.face.keypoints import MeshKeypoints
from facewire.models.face.mesh import openings
from facewire.models.face.table import FaceTable
from facewire.sender.reenactment.transfer import Transfer, at_rest, unlikeness

from .faces import HEADS, face, seen, speaking

MOMENTS = [
    seen(speaking(face(), 0.8), (20, -8, 5), 0.085, (0.1, -0.05)),
    seen(speaking(face(), 0.1, 1.0), (-15, 10, 0), 0.075, (-0.1, 0)),
    seen(speaking(face(), 1.5, 0.4), (0, 0, -20), 0.08),
]


def test_a_head_is_found_where_it_is() -> None:
    turned = seen(face(), (25, -10, 15), 0.07, (0.2, -0.1))
    head = HEADS.find(turned)
    assert head.size == pytest.approx(0.07, rel=1e-4)
    assert head.centre == pytest.approx((0.2, -0.1), abs=1e-4)
    wanted = Rotation.from_euler("YXZ", (25, -10, 15), degrees=True).as_matrix()
    assert head.rotation == pytest.approx(wanted, abs=1e-4)
    assert head.local == pytest.approx(face(), abs=1e-3)
    cosine = wanted[2, 2]
    assert head.aside == pytest.approx(np.degrees(np.arccos(cosine)), abs=0.01)
    assert head.turn_to(HEADS.find(seen(face()))) == pytest.approx(
        np.arccos((np.trace(wanted) - 1) / 2), abs=1e-3
    )


def test_faces_without_depth_or_extent_are_told() -> None:
    with pytest.raises(ConfigError, match="depth"):
        HEADS.find(replace(seen(face()), depth=None))
    nothing = np.zeros((478, 2), np.float32)
    with pytest.raises(MediaError, match="extent"):
        HEADS.find(replace(seen(face()), landmarks=nothing, depth=nothing[:, 0]))


def test_the_driver_as_his_own_portrait_gives_the_same_motion() -> None:
    portrait = seen(face(), (3, 2, 0), 0.08, (0.02, 0.03))
    transfer = Transfer.between(HEADS.find(portrait), HEADS.find(portrait))
    keypoints = MeshKeypoints(FaceTable.blank())
    keypoints.keyframe(portrait.landmarks)
    for moment in MOMENTS:
        moved = transfer.moved(HEADS.find(moment))
        assert moved == pytest.approx(moment.landmarks, abs=1e-5)
        ours, theirs = (keypoints.motion(points) for points in (moved, moment.landmarks))
        assert ours.to_array() == pytest.approx(theirs.to_array(), abs=1e-3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (-10, 12, 8)])
@pytest.mark.parametrize("size", [0.05, 0.11])
def test_an_expression_moves_onto_another_face_without_the_driver_s_shape(
    angles: tuple[float, float, float], size: float
) -> None:
    """Whatever the driver's nose, width and size are, the portrait's person says it."""
    his, hers = face(), face(nose=1.5)
    portrait = seen(hers, size=0.08, centre=(0.05, 0.1))
    transfer = Transfer.between(HEADS.find(portrait), HEADS.find(seen(his, size=size)))
    moved = transfer.moved(HEADS.find(seen(speaking(his, 1.2), angles, size)))
    wanted = seen(speaking(hers, 1.2), angles, 0.08, (0.05, 0.1)).landmarks
    # The fit of the head moves with the nose, by less than a twentieth of it.
    assert np.abs(moved - wanted).max() < 0.006
    # A transfer of positions, without regard to shapes, would be off by what the shapes differ.
    assert np.abs(seen(speaking(his, 1.2), angles, 0.08).landmarks - wanted).max() > 0.04


def test_the_head_goes_as_far_as_the_driver_s_does_in_the_size_of_the_portrait() -> None:
    portrait = HEADS.find(seen(face(), size=0.1, centre=(0.1, 0.2)))
    transfer = Transfer.between(portrait, HEADS.find(seen(face(), size=0.05, centre=(-0.3, 0))))
    moved = transfer.moved(HEADS.find(seen(face(), size=0.05, centre=(-0.2, -0.05))))
    wanted = seen(face(), size=0.1, centre=(0.3, 0.1)).landmarks
    assert moved == pytest.approx(wanted, abs=1e-4)
    nearer = transfer.moved(HEADS.find(seen(face(), size=0.06, centre=(-0.3, 0))))
    wanted = seen(face(), size=0.12, centre=(0.1, 0.2)).landmarks
    assert nearer == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("portrait_opens", [0.0, 0.7])
@pytest.mark.parametrize("anchor_opens", [0.0, 0.5])
def test_the_mouth_opens_as_the_driver_s_whatever_the_portrait_s_does(
    portrait_opens: float, anchor_opens: float
) -> None:
    portrait = HEADS.find(seen(speaking(face(wide=1.05), portrait_opens)))
    anchor = HEADS.find(seen(speaking(face(), anchor_opens)))
    transfer = Transfer.between(portrait, anchor)
    for opens in (0.0, 0.3, 1.2):
        driver = seen(speaking(face(), opens))
        mouths = [openings(p)[1] for p in (driver.landmarks, transfer.moved(HEADS.find(driver)))]
        assert mouths[1] == pytest.approx(mouths[0], abs=0.02)


def test_eyes_shut_where_the_driver_s_do_and_open_as_the_portrait_s() -> None:
    wide_eyed = face()
    lids = [246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398]
    wide_eyed[lids] -= 0.3 * (at_rest(wide_eyed) - wide_eyed)[lids]
    portrait, anchor = seen(wide_eyed), seen(face())
    transfer = Transfer.between(HEADS.find(portrait), HEADS.find(anchor))
    eyes = [
        float(openings(transfer.moved(HEADS.find(seen(speaking(face(), 0, shut)))))[0])
        for shut in (0.0, 0.5, 1.0)
    ]
    own = float(openings(portrait.landmarks)[0])
    assert eyes == pytest.approx([own, own / 2, 0], abs=0.02)


def test_an_anchor_with_shut_eyes_leaves_eyes_that_can_shut() -> None:
    """Its lids say nothing about open eyes; those of most people are taken."""
    anchor = HEADS.find(seen(speaking(face(), 0, 1.0)))
    transfer = Transfer.between(HEADS.find(seen(face())), anchor)
    shut, wide = (
        float(openings(transfer.moved(HEADS.find(seen(speaking(face(), 0, part)))))[0])
        for part in (1.0, 0.0)
    )
    own = float(openings(seen(face()).landmarks)[0])
    assert shut == pytest.approx(0, abs=0.02)
    assert 0.8 * own < wide < 1.7 * own


def test_what_is_alike() -> None:
    portrait = HEADS.find(seen(face(wide=1.1), (5, 0, 0)))
    same, speaks, turned = (
        unlikeness(portrait, HEADS.find(moment))
        for moment in (
            seen(face(), (5, 0, 0), 0.03, (0.5, 0.5)),
            seen(speaking(face(), 1.0), (5, 0, 0)),
            seen(face(), (40, 0, 0)),
        )
    )
    assert same < speaks
    assert same < turned


def test_half_way_to_another_transfer() -> None:
    portrait, first, second = (HEADS.find(moment) for moment in MOMENTS)
    ways = Transfer.between(portrait, first), Transfer.between(portrait, second)
    head = HEADS.find(MOMENTS[0])
    ends = [way.moved(head) for way in ways]
    assert ways[0].towards(ways[1], 0.0).moved(head) == pytest.approx(ends[0], abs=1e-6)
    assert ways[0].towards(ways[1], 1.0).moved(head) == pytest.approx(ends[1], abs=1e-6)
    far = np.abs(ends[1] - ends[0]).max()
    assert np.abs(ways[0].towards(ways[1], 0.1).moved(head) - ends[0]).max() < 0.2 * far


def test_eyes_move_from_where_those_of_the_portrait_look() -> None:
    portrait, driver = (
        replace(HEADS.find(seen(face(wide))), gaze=np.array(gaze, np.float32))
        for wide, gaze in ((1.1, (0.1, 0.0)), (1.0, (-0.2, 0.1)))
    )
    transfer = Transfer.between(portrait, driver)
    assert transfer.looking(driver) == pytest.approx((0.1, 0.0))
    aside = replace(driver, gaze=np.array([0.2, 0.0], np.float32))
    assert transfer.looking(aside) == pytest.approx((0.5, -0.1))
    far = replace(driver, gaze=np.array([1.0, -1.0], np.float32))
    assert transfer.looking(far) == pytest.approx((1.0, -1.0))
    straight = Transfer.between(portrait, portrait)
    assert transfer.towards(straight, 0.5).looking(driver) == pytest.approx((-0.05, 0.05))
