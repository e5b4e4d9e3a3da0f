from __future__ import annotations

import math

import numpy as np
import pytest

from facewire.eval.metrics import LandmarkDistance, Opening, PairDistance, Psnr, face_box


@pytest.fixture
def marks() -> np.ndarray:
    return np.random.default_rng(0).uniform(60, 200, (478, 2)).astype(np.float32)


def test_psnr_of_a_known_error_and_of_equal_frames() -> None:
    frame = np.full((32, 32, 3), 100, np.uint8)
    metric = Psnr()
    metric.update(frame, frame + 10)
    assert metric.compute() == pytest.approx(20 * math.log10(25.5), abs=1e-9)
    same = Psnr()
    same.update(frame, frame)
    assert same.compute() == 60


def test_a_box_looks_at_nothing_else() -> None:
    truth = np.zeros((32, 32, 3), np.uint8)
    frame = truth.copy()
    frame[:, 16:] = 255
    left, right = Psnr(), Psnr()
    left.update(truth, frame, (0, 0, 16, 32))
    right.update(truth, frame, (16, 0, 32, 32))
    assert left.compute() == 60
    assert right.compute() == pytest.approx(0)


def test_pair_distances_get_the_box() -> None:
    seen = []
    metric = PairDistance(lambda a, b: seen.append(a.shape) or 0.5)
    metric.update(np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8), (2, 4, 12, 30))
    assert seen == [(26, 10, 3)]
    assert metric.compute() == 0.5


def test_landmark_distance_and_alignment(marks: np.ndarray) -> None:
    moved = marks + np.array([3.0, 4.0], np.float32)
    plain, aligned = LandmarkDistance("mouth"), LandmarkDistance("mouth", aligned=True)
    for metric in (plain, aligned):
        metric.update(marks, moved)
    assert plain.compute() == pytest.approx(5, abs=1e-4)
    assert aligned.compute() == pytest.approx(0, abs=1e-4)


def test_opening_follows_the_lips_only(marks: np.ndarray) -> None:
    open_, shut = marks.copy(), marks.copy()
    for points, gap in ((open_, 20.0), (shut, 0.0)):
        points[13], points[14] = (100, 100), (100, 100 + gap)
        points[78], points[308] = (80, 110), (120, 110)
    mouth, eyes = Opening("mouth"), Opening("eyes")
    mouth.update(open_, shut)
    eyes.update(open_, shut)
    assert mouth.compute() == pytest.approx(0.5)
    assert eyes.compute() == pytest.approx(0)


def test_correlation_of_openings(marks: np.ndarray) -> None:
    metric = Opening("mouth")
    for step in range(10):
        truth, found = marks.copy(), marks.copy()
        for points, gap in ((truth, 10 * math.sin(step)), (found, 5 * math.sin(step) + 1)):
            points[13], points[14] = (100, 100), (100, 120 + gap)
            points[78], points[308] = (80, 110), (120, 110)
        metric.update(truth, found)
    assert metric.correlation() == pytest.approx(1, abs=1e-3)
    assert math.isnan(Opening("mouth").correlation())


def test_boxes_stay_inside_and_are_never_empty(marks: np.ndarray) -> None:
    for points in (marks, marks * 10, marks * 0 - 50, marks * 0 + 400):
        x0, y0, x1, y1 = face_box(points, (256, 256, 3))
        assert 0 <= x0 < x1 <= 256
        assert 0 <= y0 < y1 <= 256
        assert min(x1 - x0, y1 - y0) >= 16


def test_metrics_without_updates_are_not_numbers() -> None:
    assert math.isnan(Psnr().compute())
