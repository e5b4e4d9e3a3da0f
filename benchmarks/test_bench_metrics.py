"""All metrics of decoded frames, next to one pass of Inception over the same frames.

The bound is 3 times that pass, with the truth of the clip measured once for all its rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.eval.clips import Clip
from facewire.eval.measure import measure
from facewire.eval.suite import Suite
from facewire.eval.truth import measure_truth

FRAMES, SIDE, BATCH = 50, 256, 8


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    folder = tmp_path_factory.mktemp("clip")
    face = AnimatedFace(load_portrait())
    poses = [Pose(yaw=5 * np.sin(i / 5), mouth=0.5 + 0.5 * np.sin(i)) for i in range(FRAMES)]
    np.stack([face.draw(pose, SIDE) for pose in poses]).tofile(folder / "frames.rgb")
    sound = np.random.default_rng(0).normal(0, 0.1, FRAMES * 640)
    np.save(folder / "sound.npy", sound.astype(np.float32))
    return Clip("bench", "0" * 64, folder, FRAMES, Fraction(25), SIDE, SIDE)


def seconds(call: Callable[[], object]) -> float:
    """CPU time of all threads: what else runs on the machine does not count."""
    began = time.process_time()
    call()
    return time.process_time() - began


@pytest.mark.benchmark(group="metrics of 50 frames")
def test_all_metrics_in_passes_of_inception(benchmark: Any, clip: Clip) -> None:
    suite = Suite()
    inception = suite.inception
    if inception is None:
        pytest.skip(suite.missing["fid"])
    frames = list(clip.rgb())
    noise = np.random.default_rng(0).normal(0, 8, frames[0].shape)
    decoded = [np.clip(frame + noise, 0, 255).astype(np.uint8) for frame in frames]
    truth = measure_truth(clip, suite)  # and the networks are warm
    measure(clip, truth, decoded, suite)

    def one_pass() -> None:
        for first in range(0, FRAMES, BATCH):
            inception(frames[first : first + BATCH])

    once = seconds(one_pass)
    benchmark.pedantic(measure, args=(clip, truth, decoded, suite), rounds=1)
    row = seconds(lambda: measure(clip, truth, decoded, suite))
    own = seconds(lambda: measure_truth(clip, suite))
    benchmark.extra_info["inception_ms_per_frame"] = 1000 * once / FRAMES
    benchmark.extra_info["row_in_passes"] = row / once
    benchmark.extra_info["truth_in_passes"] = own / once
    benchmark.extra_info["left_out"] = sorted(suite.missing)
    print(f"\none row {row / once:.2f}, a clip's truth {own / once:.2f} passes of Inception")
