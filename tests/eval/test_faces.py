from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from facewire.cli.demo.face import AnimatedFace, load_portrait
from facewire.cli.demo.face import Pose as Drawn
from facewire.eval.metrics import apb2face
from facewire.eval.metrics.apb2face import crop_scale, detection_rate, landmark_error
from facewire.eval.metrics.base import Mean, Metric, Pair
from facewire.eval.metrics.faces import (
    PARTS,
    OpeningCorrelation,
    asymmetry_error,
    blink_error,
    gaze_error,
    head_angles,
    landmark_distance,
    opening_error,
    pose_error,
)
from facewire.models.apb2face.features import HeadAngles
from facewire.models.face.canonical import CanonicalFace
from facewire.models.face.mesh import IRISES, MOUTH
from facewire.models.face.observation import Observation
from facewire.models.face.turning import fit_place, mean_shape, rotation
from facewire.sender.reenactment.head import HeadFinder
from facewire.sender.tracking.tracker import Face, Tracker

Marks = npt.NDArray[np.float32]
BLANK = np.zeros((64, 64, 3), np.uint8)


@pytest.fixture
def marks() -> Marks:
    return np.random.default_rng(0).uniform(60, 200, (478, 2)).astype(np.float32)


def pair(truth: Face | None, found: Face | None, index: int = 0) -> Pair:
    return Pair(index, BLANK, BLANK, truth, found)


def turn(axis: int, degrees: float) -> npt.NDArray[np.float64]:
    """Right-handed rotation about x (0), y (1) or z (2)."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    result = np.eye(3)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    result[first, first] = result[second, second] = cosine
    result[second, first], result[first, second] = sine, -sine
    return result


def pose(yaw: float, pitch: float, roll: float, scale: float = 1.0) -> npt.NDArray[np.float32]:
    """Head pose from angles in degrees, one rotation after the other."""
    matrix = np.eye(4)
    matrix[:3, :3] = turn(1, yaw) @ turn(0, pitch) @ turn(2, roll) * scale
    matrix[:3, 3] = (3, -4, -50)
    return matrix.astype(np.float32)


def gaped(marks: Marks, mouth: float = 0.0, right: float = 0.0, left: float = 0.0) -> Marks:
    """Landmarks whose openings are known: heights in pixels over a width of 40."""
    result = marks.copy()
    rows = ((13, 14, 78, 308, mouth), (159, 145, 33, 133, right), (386, 374, 362, 263, left))
    for up, down, start, end, gap in rows:
        result[[up, down, start, end]] = [(100, 100), (100, 100 + gap), (80, 105), (120, 105)]
    return result


def one(metric: Metric, truth: Face | None, found: Face | None) -> float:
    metric.update(pair(truth, found))
    return metric.compute()


def test_landmark_distance_and_alignment(marks: Marks) -> None:
    moved = Face(marks + np.array([3.0, 4.0], np.float32))
    for part in PARTS:
        assert one(Mean(landmark_distance, part), Face(marks), moved) == pytest.approx(5, abs=1e-4)
        aligned = Mean(landmark_distance, part, True)
        assert one(aligned, Face(marks), moved) == pytest.approx(0, abs=1e-4)


def test_landmark_distance_is_a_mean_over_points_then_frames(marks: Marks) -> None:
    moved = marks.copy()
    moved[61, 0] += 8
    face, mouth, eyes = (Mean(landmark_distance, part) for part in ("face", "mouth", "eyes"))
    for metric in (face, mouth, eyes):
        metric.update(pair(Face(marks), Face(moved)))
        metric.update(pair(Face(marks), None))
        metric.update(pair(Face(marks), Face(marks)))
    assert face.compute() == pytest.approx(8 / 468 / 2, rel=1e-4)
    assert mouth.compute() == pytest.approx(8 / len(MOUTH) / 2, rel=1e-4)
    assert eyes.compute() == 0


def test_opening_errors_are_relative_and_each_eye_counts(marks: Marks) -> None:
    truth = Face(gaped(marks, mouth=20, right=12, left=8))
    found = Face(gaped(marks, mouth=6, right=8, left=12))
    assert one(Mean(opening_error, "mouth"), truth, found) == pytest.approx(14 / 40)
    assert one(Mean(opening_error, "eyes"), truth, found) == pytest.approx(4 / 40)


def test_asymmetry_sees_one_lid_that_hangs_and_not_two(marks: Marks) -> None:
    opened, hangs = Face(gaped(marks, right=12, left=12)), Face(gaped(marks, right=12, left=5))
    assert one(Mean(asymmetry_error), opened, hangs) == pytest.approx(7 / 40)
    assert one(Mean(asymmetry_error), hangs, opened) == pytest.approx(7 / 40)  # a wink not shown
    assert one(Mean(asymmetry_error), hangs, hangs) == 0
    both = Face(gaped(marks, right=6, left=6))
    assert one(Mean(asymmetry_error), opened, both) == pytest.approx(0, abs=1e-6)
    other = Face(gaped(marks, right=5, left=12))  # the wrong eye: twice as far off
    assert one(Mean(asymmetry_error), hangs, other) == pytest.approx(14 / 40)
    assert math.isnan(one(Mean(asymmetry_error), hangs, None))


def looking(marks: Marks, right: float, down: float, lids: float = 12) -> Marks:
    """Eyes 40 pixels wide whose irises lie so many pixels right and down of the middle."""
    result = gaped(marks, right=lids, left=lids)
    for iris, (first, second) in zip(IRISES, ((33, 133), (362, 263)), strict=True):
        result[iris] = result[[first, second]].mean(0) + (right, down)
    return result


def test_gaze_error_is_relative_to_the_width_of_an_eye(marks: Marks) -> None:
    truth = looking(marks, 0, 0)
    for right, down in ((6, 0), (-6, 0), (0, 3), (-8, 6)):
        found = Face(looking(marks, right, down))
        expected = math.hypot(right, down) / 40
        assert one(Mean(gaze_error), Face(truth), found) == pytest.approx(expected, rel=1e-4)
        larger = Face(truth * 3), Face(found.landmarks * 3 + 5)
        assert one(Mean(gaze_error), *larger) == pytest.approx(expected, rel=1e-4)


def test_gaze_error_does_not_see_the_head_move_or_roll(marks: Marks) -> None:
    truth = looking(marks, 5, -2)
    spin = turn(2, 25)[:2, :2].astype(np.float32)
    moved = Face(truth @ spin.T + np.array([9, -4], np.float32))
    assert one(Mean(gaze_error), Face(truth), moved) == pytest.approx(0, abs=1e-5)


def test_shut_eyes_have_no_gaze_but_a_lid_that_falls_shut_counts(marks: Marks) -> None:
    opened, shut = Face(looking(marks, 0, 0)), Face(looking(marks, 8, 0, lids=3))
    assert math.isnan(one(Mean(gaze_error), shut, opened))
    assert one(Mean(gaze_error), opened, shut) == pytest.approx(8 / 40, rel=1e-4)


def test_correlation_of_openings_is_pearsons(marks: Marks) -> None:
    rng = np.random.default_rng(1)
    truth, found = rng.uniform(0, 20, (2, 40))
    metric = OpeningCorrelation("mouth")
    for index, (first, second) in enumerate(zip(truth, found, strict=True)):
        faces = Face(gaped(marks, mouth=first)), Face(gaped(marks, mouth=second))
        metric.update(pair(*faces, index))
    assert metric.compute() == pytest.approx(np.corrcoef(truth, found)[0, 1], abs=1e-5)


def test_a_mouth_that_never_moves_has_no_correlation(marks: Marks) -> None:
    metric = OpeningCorrelation("mouth")
    assert math.isnan(metric.compute())
    for index in range(9):
        metric.update(pair(Face(gaped(marks, mouth=index)), Face(gaped(marks, mouth=4)), index))
    assert math.isnan(metric.compute())


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, -20, 10), (-80, 45, 170), (179, 5, -60)])
@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_head_angles_are_those_that_made_the_pose(
    angles: tuple[float, float, float], scale: float
) -> None:
    found = np.degrees(head_angles(pose(*angles, scale)))
    assert found == pytest.approx(angles, abs=1e-3)


@pytest.mark.parametrize(
    "angles", [(0.5, 0.0, 0.0), (0.0, 0.3, 0.0), (0.0, 0.0, -0.4), (0.6, -0.2, 0.3)]
)
def test_whoever_measures_a_head_finds_the_same_angles(angles: tuple[float, float, float]) -> None:
    """The metrics, profile `pose`, what a portrait moves with, and what APB2Face is given."""
    turned = rotation(*angles)
    matrix = np.eye(4, dtype=np.float32)
    matrix[:3, :3] = turned
    assert head_angles(matrix) == pytest.approx(angles, abs=1e-5)

    shape = mean_shape()
    flat = 0.4 * (shape @ turned.T)[:, :2] * (1, -1) + (0.1, 0.0)
    place = fit_place(shape, flat.astype(np.float32))
    assert (place.yaw, place.pitch, place.roll) == pytest.approx(angles, abs=2e-3)
    face = CanonicalFace(shape, np.ones(len(shape)), np.zeros((0, 3), np.int32))
    assert HeadAngles(face).angles(flat) == pytest.approx(angles, abs=1e-3)

    mesh = np.random.default_rng(3).normal(0, 5, (478, 3))
    seen = 0.05 * (mesh @ turned.T) * (1, -1, -1)
    whole = CanonicalFace(mesh, np.ones(478), np.zeros((0, 3), np.int32))
    observed = Observation(BLANK, seen[:, :2].astype(np.float32), depth=seen[:, 2])
    flip = np.diag((1.0, -1.0, -1.0))
    assert HeadFinder(whole).find(observed).rotation == pytest.approx(
        flip @ turned @ flip, abs=1e-6
    )


def test_a_sheared_pose_counts_as_the_nearest_rotation() -> None:
    matrix = pose(20, 10, -5)
    sheared = matrix.copy()
    sheared[:3, :3] = matrix[:3, :3] @ np.diag([1.1, 0.9, 1.3])  # a polar part of R itself
    assert head_angles(sheared) == pytest.approx(head_angles(matrix), abs=1e-5)
    assert np.isnan(head_angles(np.full((4, 4), np.nan, np.float32))).all()


def test_pose_error_in_degrees_and_radians(marks: Marks) -> None:
    truth = Face(marks, pose=pose(10, 5, 0))
    found = Face(marks, pose=pose(4, 8, -12))
    assert one(Mean(pose_error), truth, found) == pytest.approx((6 + 3 + 12) / 3, abs=1e-3)
    assert one(Mean(apb2face.pose_error), truth, found) == pytest.approx(math.radians(7), abs=1e-4)


def test_pose_error_goes_the_short_way_round(marks: Marks) -> None:
    truth, found = Face(marks, pose=pose(0, 0, 178)), Face(marks, pose=pose(0, 0, -178))
    assert one(Mean(pose_error), truth, found) == pytest.approx(4 / 3, abs=1e-3)


def test_blink_error_needs_a_tracker_with_details(marks: Marks) -> None:
    truth = Face(marks, (0.9, 0.1), pose(0, 0, 0))
    found = Face(marks, (0.2, 0.4), pose(0, 0, 0))
    assert one(Mean(blink_error), truth, found) == pytest.approx((0.7 + 0.3) / 2)
    plain = Face(marks)
    assert math.isnan(one(Mean(blink_error), plain, plain))
    assert math.isnan(one(Mean(pose_error), plain, plain))


def test_detection_rate_counts_frames_that_have_a_face(marks: Marks) -> None:
    metric = Mean(detection_rate)
    face = Face(marks)
    for truth, found in ((face, face), (face, None), (None, None), (None, face), (face, face)):
        metric.update(pair(truth, found))
    assert metric.compute() == pytest.approx(200 / 3)


def test_landmark_error_is_in_pixels_of_the_papers_crop(marks: Marks) -> None:
    marks[:, 0] = np.linspace(0, 100, 478)[np.random.default_rng(2).permutation(478)]
    marks[10] = (50, -500)  # the forehead is no part of it
    marks[[127, 356]] = [(0, 60), (128, 60)]
    truth = Face(np.clip(marks, -500, [128, 150]))
    found = Face(truth.landmarks + np.array([3.0, -1.0], np.float32))
    side = 128  # from ear to ear; the other contours span less
    assert crop_scale(pair(truth, None)) == pytest.approx(256 / (1.4 * side))
    expected = (3 + 1) / 2 * 256 / (1.4 * side)
    assert one(Mean(landmark_error), truth, found) == pytest.approx(expected, rel=1e-5)
    twice = Face(truth.landmarks * 2), Face(found.landmarks * 2)
    assert one(Mean(landmark_error), *twice) == pytest.approx(expected, rel=1e-5)


METRICS = (
    *(landmark_distance, opening_error, gaze_error, pose_error, blink_error),
    *(landmark_error, apb2face.pose_error),
)


@pytest.mark.parametrize("value", METRICS)
def test_frames_without_face_are_left_out(value: Callable[..., float], marks: Marks) -> None:
    face = Face(marks, pose=pose(0, 0, 0))
    for truth, found in ((None, None), (None, face), (face, None)):
        assert math.isnan(one(Mean(value), truth, found))
        assert math.isnan(one(OpeningCorrelation(), truth, found))


def test_the_trackers_pose_and_blink_of_a_drawn_head() -> None:
    person = AnimatedFace(load_portrait())
    drawn = (Drawn(), Drawn(yaw=15.0), Drawn(pitch=10.0), Drawn(roll=12.0), Drawn(blink=1.0))
    with Tracker(details=True, still=True) as tracker:
        faces = [tracker.track(person.draw(p, 256))[0] for p in drawn]
    angles = [np.degrees(head_angles(face.pose)) for face in faces if face.pose is not None]
    for axis in range(3):  # a warped photograph turns less in depth than it was told to
        moved = np.abs(angles[axis + 1] - angles[0])
        assert moved.argmax() == axis
        assert moved[axis] > 3
    assert abs(angles[3][2] - angles[0][2]) == pytest.approx(12, abs=2)
    assert one(Mean(blink_error), faces[0], faces[4]) > 0.3
    assert one(Mean(opening_error, "eyes"), faces[0], faces[4]) > 0.1
    assert one(Mean(pose_error), faces[0], faces[3]) == pytest.approx(12 / 3, abs=2)
