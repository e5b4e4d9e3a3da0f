"""What `fit_depth` and `fit_pose` find in faces whose shape and movement are known."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import TrainingError
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.pose import HeadPlace, PoseDecoder, PoseEncoder, PoseFrame
from facewire.codec.motion.tables import MotionTables
from facewire.models.face.mesh import POINTS
from facewire.models.face.turning import mean_shape, rotation
from facewire.models.training import fit_depth as depth_module
from facewire.models.training import fit_pose as pose_module
from facewire.models.training.fit_depth import fit_depth, turned_frames
from facewire.models.training.fit_pose import fit_pose_tables, poses_of

KEY = MotionFrame(np.zeros((10, 2), np.float32), np.zeros((10, 2, 2), np.float32))


def turning(seed: int, frames: int = 6) -> np.ndarray:
    """Landmarks of one head in several poses, float32 `[frames, P, 2]`, y down."""
    rng = np.random.default_rng(seed)
    shape = mean_shape() * rng.normal(1, 0.03, 3)
    seen = []
    for _ in range(frames):
        yaw, pitch, roll = rng.normal(0, (0.4, 0.2, 0.1))
        flat = (shape @ rotation(yaw, pitch, roll).T)[:, :2] * rng.uniform(0.5, 0.7)
        seen.append(flat * (1, -1) + rng.normal(0, 0.05, 2))
    return np.array(seen, np.float32)


def whole(points: np.ndarray) -> np.ndarray:
    landmarks = np.zeros((len(points), 478, 2), np.float32)
    landmarks[:, list(POINTS)] = points
    return landmarks


def test_turned_heads_tell_how_deep_a_face_is() -> None:
    found = fit_depth([turning(seed) for seed in range(6)], rounds=10)
    true = mean_shape()
    assert found.shape == true.shape
    assert np.corrcoef(found[:, 2], true[:, 2])[0, 1] > 0.97
    assert np.ptp(found[:, 2]) == pytest.approx(np.ptp(true[:, 2]), rel=0.15)
    across, upwards = np.abs(found - true)[:, :2].max(0)
    assert across < 0.01
    assert upwards < 0.12  # a nodding head and a receding chin look alike


def test_the_frames_that_differ_most_are_taken() -> None:
    straight = np.repeat(turning(0, 1), 20, 0)
    turned = turning(0, 2)
    chosen = turned_frames(whole(np.concatenate([straight, turned])), 3)
    for frame in turned:
        assert (np.abs(chosen - frame).max((1, 2)) < 1e-6).any()
    assert len(turned_frames(whole(straight[:2]), 5)) == 2


def test_without_clips_there_is_no_depth() -> None:
    with pytest.raises(TrainingError, match="no clips"):
        fit_depth([])


def prepared(folder: Path, names: str) -> None:
    for n, name in enumerate(names):
        landmarks = whole(turning(n, 12))
        values = {"landmarks": landmarks, "faces": np.ones(12, np.uint8), "fps": np.array(25.0)}
        np.savez(folder / f"{name}.npz", identity=np.array(name), **values)


def test_the_commands_write_what_they_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared(tmp_path, "ab")
    out = tmp_path / "out"
    out.mkdir()
    for module, target in ((depth_module, out / "depth.npz"), (pose_module, out / "pose_1.npz")):
        monkeypatch.setattr(sys, "argv", ["fit", str(tmp_path), str(target)])
        module.main()
    with np.load(out / "depth.npz") as file:
        assert file["shape"].shape == mean_shape().shape
    with np.load(out / "pose_1.npz") as file:
        assert file["forward"].shape == (8, 8)
    assert len(poses_of(tmp_path / "a.npz", 5)) == 5
    assert poses_of(tmp_path / "a.npz", 2) == []


def wander(seed: int, frames: int = 60) -> list[PoseFrame]:
    """Heads that turn slowly, and blink at times."""
    rng = np.random.default_rng(seed)
    yaw, pitch, roll, x, y = np.cumsum(rng.normal(0, 0.004, (frames, 5)), 0).T
    eyes = np.where(np.arange(frames) % 25 < 3, 0.05, 0.3)
    return [
        PoseFrame(yaw[n], pitch[n], roll[n], eyes[n], eyes[n], HeadPlace(x[n], y[n], 0.6))
        for n in range(frames)
    ]


def bits(tables: MotionTables, frames: list[PoseFrame]) -> float:
    """Of a frame; what is coded is read back."""
    payload = PoseEncoder(3, tables=tables).encode(frames, 0, 0, KEY)
    back = [pose for _, pose in PoseDecoder(tables).decode(payload, 0, 0, KEY)]
    assert [pose.yaw for pose in back] == pytest.approx([pose.yaw for pose in frames], abs=0.06)
    return 8 * len(payload) / len(frames)


def test_tables_suit_the_movement_that_they_were_fitted_to() -> None:
    fitted = fit_pose_tables([wander(seed) for seed in range(6)])
    hasty = fit_pose_tables([wander(seed)[::12] for seed in range(30)])
    assert bits(fitted, wander(99)) < 0.95 * bits(hasty, wander(99))
