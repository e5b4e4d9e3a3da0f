from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facewire.codec.errors import ConfigError, WeightsError
from facewire.models.avfr.segmenter import Segmenter
from facewire.sender.tracking.tracker import Tracker

from ..conftest import Frame


def test_two_faces_largest_first(frames: list[Frame]) -> None:
    canvas = np.full((256, 512, 3), 120, np.uint8)
    canvas[:, 256:] = frames[0]
    canvas[64:192, 40:168] = cv2.resize(frames[0], (128, 128), interpolation=cv2.INTER_AREA)
    with Tracker(details=True) as tracker:
        found = tracker.track(canvas)
    assert len(found) == 2
    assert found[0].box[0] > 256 > found[1].box[2]
    assert found[0].depth is not None
    assert found[0].depth.shape == (478,)
    assert found[0].pose is not None


def test_time_may_stand_still(frames: list[Frame]) -> None:
    with Tracker() as tracker:
        assert [len(tracker.track(frames[0], 5)) for _ in range(3)] == [1, 1, 1]


def test_empty_picture_has_none() -> None:
    with Tracker() as tracker:
        assert tracker.track(np.zeros((64, 64, 3), np.uint8)) == []


def test_not_a_frame() -> None:
    with Tracker() as tracker, pytest.raises(ConfigError):
        tracker.track(np.zeros((64, 64), np.uint8))


@pytest.mark.parametrize("kind", [Tracker, Segmenter])
def test_bad_model_file(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"no model at all")
    with pytest.raises(WeightsError, match="MediaPipe"):
        kind(path)


def test_nothing_on_stderr(frames: list[Frame], capfd: pytest.CaptureFixture[str]) -> None:
    with Tracker() as tracker:
        tracker.track(frames[0])
    segmenter = Segmenter()
    segmenter.segment(frames[0])
    segmenter.close()
    assert capfd.readouterr().err == ""
