"""Encoding: tracker and keypoints of a frame, and a whole clip compared with its duration.

pytest benchmarks/test_bench_encode.py --benchmark-only
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facewire.cli.demo.clip import make_demo_clip
from facewire.models.weights import load_card
from facewire.sender.config import EncoderConfig
from facewire.sender.files import encode_file
from facewire.sender.motion.keypoints import MeshSource
from facewire.sender.tracking.capture import Capture
from facewire.sender.tracking.observer import Observer
from facewire.sender.tracking.tracker import Tracker

FRAME_BUDGET_S = 0.025


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_demo_clip(tmp_path_factory.mktemp("bench") / "clip.mp4", 10.0)


def test_tracker_and_keypoints(benchmark: Any, clip: Path) -> None:
    """Under 25 ms a frame at 256x256."""
    frames = [frame for frame, _ in Capture(clip).frames()]
    source = MeshSource(load_card("s").face_table())
    with Tracker() as tracker:
        observer = Observer(tracker, 256)
        first = observer.observe(frames[0], 0.04, 0)[0]
        assert first is not None
        source.keyframe(first, 0)
        at = 0

        def frame() -> None:
            nonlocal at
            at += 1
            seen, _ = observer.observe(frames[at % len(frames)], 0.04, 40 * at)
            if seen is not None:
                source.motion(seen, 0)

        benchmark.pedantic(frame, rounds=150, warmup_rounds=20)
    times = np.array(benchmark.stats.stats.data)
    benchmark.extra_info["p50_ms"] = float(np.percentile(times, 50) * 1e3)
    benchmark.extra_info["p95_ms"] = float(np.percentile(times, 95) * 1e3)
    assert np.median(times) < FRAME_BUDGET_S


def test_encode_ten_seconds(benchmark: Any, clip: Path, tmp_path: Path) -> None:
    """Faster than real time, file to file, with sound and keyframe."""
    report = benchmark.pedantic(
        lambda: encode_file(clip, tmp_path / "out.fwire", EncoderConfig()),
        rounds=3,
        warmup_rounds=1,
    )
    seconds = float(np.median(benchmark.stats.stats.data))
    benchmark.extra_info["frames_per_s"] = report.frames / seconds
    assert seconds < report.duration_s
