"""What the own tracker finds, MediaPipe finds: on the demo clip, and on all clips of `val`."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from facewire.models.avfr.segmenter import Segmenter
from facewire.models.third_party import find_asset
from facewire.sender.tracking import mediapipe_tracker
from facewire.sender.tracking.mediapipe_tracker import MediaPipeTracker
from facewire.sender.tracking.tracker import Face, Tracker

from ..conftest import Frame

mediapipe = pytest.importorskip("mediapipe", reason="mediapipe is not installed")

CLIPS = sorted((Path(os.environ.get("FACEWIRE_TEST_DATA", "/nowhere")) / "val").glob("*.mp4"))
MEAN, WORST = 0.5, 2.0  # pixels


def both(frames: list[Frame], *, still: bool = False) -> list[tuple[list[Face], list[Face]]]:
    """(own, MediaPipe's) faces of each frame."""
    theirs = MediaPipeTracker(details=True, still=still)
    with Tracker(details=True, still=still) as own:
        found = [(own.track(frame), theirs.track(frame)) for frame in frames]
    theirs.close()
    return found


def distances(found: list[tuple[list[Face], list[Face]]]) -> np.ndarray:
    """Distance of each landmark in pixels, `[faces, 478]`."""
    assert [len(own) for own, _ in found] == [len(theirs) for _, theirs in found]
    pairs = [pair for own, theirs in found for pair in zip(own, theirs, strict=True)]
    return np.array([np.linalg.norm(a.landmarks - b.landmarks, axis=1) for a, b in pairs])


def stage(frame: Frame, size: int, left: int, top: int, shape: tuple[int, int]) -> Frame:
    """A frame that shows another one at some place and size."""
    canvas = np.full((*shape, 3), 90, np.uint8)
    canvas[top : top + size, left : left + size] = cv2.resize(
        frame, (size, size), interpolation=cv2.INTER_AREA
    )
    return canvas


def test_video(frames: list[Frame]) -> None:
    error = distances(both(frames))
    assert error.mean() < 0.02
    assert error.max() < 0.3


def test_details(frames: list[Frame]) -> None:
    for own, theirs in both(frames):
        for a, b in zip(own, theirs, strict=True):
            assert a.pose is not None
            assert b.pose is not None
            assert a.depth is not None
            assert np.abs(np.subtract(a.blink, b.blink)).max() < 0.02
            np.testing.assert_allclose(a.pose[:3, :3], b.pose[:3, :3], atol=0.01)
            np.testing.assert_allclose(a.pose[:, 3], b.pose[:, 3], atol=0.1)
            np.testing.assert_allclose(a.depth, b.depth, atol=0.3)


@pytest.mark.parametrize("still", [False, True])
def test_small_turned_lying_lost_and_two(frames: list[Frame], still: bool) -> None:
    shape = (240, 420)
    two = stage(frames[0], 200, 10, 20, shape)
    two[100:200, 280:380] = cv2.resize(frames[4], (100, 100), interpolation=cv2.INTER_AREA)
    script = [
        frames[0],
        frames[1],
        *(stage(frames[k], 200 - 20 * k, 10 * k, 8 * k, shape) for k in range(9)),
        np.zeros((*shape, 3), np.uint8),
        stage(frames[2], 230, 180, 5, shape),
        *(np.ascontiguousarray(np.rot90(frames[3], k)) for k in range(4)),
        two,
        two[:, ::-1],
        two[::2, ::2],
    ]
    found = both(script, still=still)
    error = distances(found)
    assert error.mean() < MEAN
    assert error.max() < WORST
    assert {0, 1} <= {len(own) for own, _ in found}


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_real_clips(path: Path) -> None:
    """The first second of each; `benchmarks/tracker.py` compares whole clips."""
    with av.open(str(path)) as container:
        decoded = itertools.islice(container.decode(video=0), 25)
        frames = [frame.to_ndarray(format="rgb24") for frame in decoded]
    error = distances(both(frames))
    assert error.mean() < MEAN
    assert error.max() < WORST


def test_person_mask(frames: list[Frame]) -> None:
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.ImageSegmenterOptions(
        base_options=BaseOptions(model_asset_path=str(find_asset("selfie_segmentation.tflite"))),
        output_confidence_masks=True,
    )
    with vision.ImageSegmenter.create_from_options(options) as theirs:
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=frames[0])
        result = theirs.segment(image)
        wanted = np.array(result.confidence_masks[0].numpy_view()).reshape(256, 256)
    np.testing.assert_allclose(Segmenter().segment(frames[0]), wanted, atol=1e-3)


def test_trackers_that_start_together_leave_stderr_open(capfd: pytest.CaptureFixture[str]) -> None:
    begin = threading.Barrier(4)

    def start() -> None:
        begin.wait()
        for _ in range(20):
            with mediapipe_tracker._hushed():
                pass

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"
