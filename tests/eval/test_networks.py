from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facewire.cli.demo.face import AnimatedFace, Pose, load_portrait
from facewire.codec.errors import TrainingError
from facewire.eval.networks import compare_networks, measure_network
from facewire.eval.suite import Suite
from facewire.models.avfr import Avfr
from facewire.models.training.cache import CachedClip
from facewire.sender.tracking.tracker import Tracker

CLIPS = [f"v{number}" for number in range(8)]


@pytest.fixture(scope="module")
def clip() -> CachedClip:
    """A portrait that turns its head, one frame in three kept."""
    person = AnimatedFace(load_portrait())
    frames = np.stack([person.draw(Pose(yaw=1.5 * turn), 256) for turn in range(12)])
    with Tracker(still=True) as tracker:
        marks = np.stack([tracker.track(frame)[0].landmarks for frame in frames])
    return CachedClip(
        name="drawn",
        identity="drawn",
        fps=25.0,
        landmarks=(marks / 128 - 1).astype(np.float32),
        mask=np.full((12, 64, 64), 255, np.uint8),
        mel=np.zeros((0, 80), np.float32),
        faces=np.ones(12, np.uint8),
        kept=np.arange(0, 12, 3),
        frames=frames[::3],
    )


@pytest.fixture(scope="module")
def suite() -> Suite:
    suite = Suite()
    suite.vgg = suite.dists = suite.inception = suite.embed = None
    return suite


def test_what_a_network_makes_is_measured(clip: CachedClip, suite: Suite) -> None:
    model = Avfr.from_pretrained("xs")
    seen: list[tuple[int, int]] = []
    clips = [replace(clip, kept=clip.kept[:2], frames=clip.frames[:2], name="short"), clip]
    found = measure_network(model, clips, suite, progress=lambda *at: seen.append(at))
    assert seen == [(1, 1)]
    assert {name: list(of) for name, of in found.items()} == {
        name: ["drawn"]
        for name in (
            *("psnr", "face_psnr", "lmd_mouth", "lmd_eyes", "eye_opening"),
            *("eye_asymmetry", "gaze_error"),
            *("blink_error", "pose_error", "lpips", "face_lpips", "flicker"),
        )
    }
    clean = measure_network(model, clips, suite, coded=False)
    assert clean["psnr"]["drawn"] > found["psnr"]["drawn"]
    broken = Avfr.from_pretrained("xs")
    with torch.no_grad():
        broken.generator.head.bias += 0.3  # everything too bright
    bright = measure_network(broken, clips, suite)
    assert bright["psnr"]["drawn"] < found["psnr"]["drawn"] - 3
    assert bright["face_lpips"]["drawn"] > found["face_lpips"]["drawn"]
    with pytest.raises(TrainingError, match="three pictures"):
        measure_network(model, clips[:1], suite)


def figures(**means: float) -> dict[str, dict[str, float]]:
    """Figures of eight clips that lie around the given means."""
    return {
        name: {clip: value * (1 + 0.3 * np.sin(k)) for k, clip in enumerate(CLIPS)}
        for name, value in means.items()
    }


def test_better_means_clearly_better_and_nothing_clearly_worse() -> None:
    old = figures(lpips=0.2, psnr=24.0, flicker=4.0)
    better = compare_networks(figures(lpips=0.19, psnr=24.5, flicker=4.0), old)
    assert [(line.metric, line.side) for line in better.lines] == [
        ("lpips", 1), ("psnr", 1), ("flicker", 0),
    ]  # fmt: skip
    assert better.better
    assert "new is better than s" in better.text("new", "s").splitlines()[-1]
    mixed = compare_networks(figures(lpips=0.1, psnr=30.0, flicker=4.1), old)
    assert not mixed.better
    assert mixed.worse == ("flicker",)
    assert "worse in flicker" in mixed.text("new", "s").splitlines()[-1]
    same = compare_networks(old, old)
    assert not same.better
    assert "cannot be told apart" in same.text("new", "s")


def test_differences_that_may_be_luck_do_not_count() -> None:
    old = figures(lpips=0.2)
    noisy = {"lpips": {c: v + 0.01 * (-1) ** k for k, (c, v) in enumerate(old["lpips"].items())}}
    assert compare_networks(noisy, old).lines[0].side == 0
    few = {"lpips": dict.fromkeys(CLIPS[:4], 0.001)}
    table = compare_networks(few, old)
    assert table.lines[0].side == 0
    assert table.lines[0].difference.clips == 4
    assert "95 %" in table.text("new", "old").splitlines()[0]


def test_metrics_that_one_network_lacks_are_left_out() -> None:
    table = compare_networks(figures(lpips=0.2, dists=0.1), figures(lpips=0.2))
    assert [line.metric for line in table.lines] == ["lpips"]
