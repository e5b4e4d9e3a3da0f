from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.models.avfr import AvfrConfig
from facewire.models.face.table import FaceTable
from facewire.models.training.cache import CachedClip, write_clip

TINY = AvfrConfig(
    name="tiny",
    size=64,
    detector_base=4,
    detector_max=32,
    detector_levels=3,
    motion_size=16,
    motion_base=8,
    motion_max=16,
    motion_levels=2,
    channels=(8, 12, 16),
    blocks=(0, 1, 1),
    audio_channels=4,
)


def face_at(rng: np.random.Generator, frames: int) -> np.ndarray:
    """A made-up mesh that moves: float32 [frames, 478, 2]."""
    mean = FaceTable.blank().mean * 0.5
    time = np.linspace(0, 3, frames)[:, None, None]
    sway = np.concatenate([0.1 * np.sin(time), 0.05 * np.cos(2 * time)], -1)
    stretch = 1 + 0.2 * np.sin(5 * time)
    return (mean[None] * stretch + sway + rng.normal(0, 1e-3, (1, 478, 2))).astype(np.float32)


def made_clip(name: str, identity: str, frames: int = 6, size: int = 64) -> CachedClip:
    rng = np.random.default_rng(len(name) + ord(name[-1]))
    return CachedClip(
        name=name,
        identity=identity,
        fps=25.0,
        landmarks=face_at(rng, frames),
        mask=rng.integers(0, 256, (frames, 64, 64)).astype(np.uint8),
        mel=rng.normal(0, 0.3, (frames * 4, 80)).astype(np.float32),
        faces=np.ones(frames, np.uint8),
        kept=np.arange(0, frames, 2),
        frames=rng.integers(0, 256, ((frames + 1) // 2, size, size, 3)).astype(np.uint8),
    )


@pytest.fixture
def tiny() -> AvfrConfig:
    return TINY


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    for index in range(4):
        write_clip(folder, made_clip(f"clip{index}", f"person{index // 2}", 8))
    return folder
