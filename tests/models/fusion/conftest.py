"""Small made-up samples."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.models.face.mesh import POINTS
from facewire.models.fusion.network import FusionConfig
from facewire.models.fusion.samples import Samples, write_samples

SIZE = 64


def made_samples(name: str, person: str, size: int = SIZE) -> Samples:
    """Two pairs with two base layers: true pictures, and others with noise of their own."""
    rng = np.random.default_rng(list(name.encode()))
    truth = rng.uniform(60, 200, (2, 1, 2, 8, 8, 3)).repeat(size // 8, 3).repeat(size // 8, 4)
    noise = rng.normal(0, 12, (2, 4, 2, size, size, 3))
    noise[:, 0] = 0
    return Samples(
        name=name,
        person=person,
        pictures=(truth + noise).clip(0, 255).astype(np.uint8),
        points=rng.uniform(-0.5, 0.5, (2, 2, len(POINTS), 2)).astype(np.float32),
        age=rng.integers(0, 4, (2, 2, 2)).astype(np.uint8),
        crf=np.array([40, 60], np.float32),
        side=np.array([size, size]),
        bpp=np.array([0.02, 0.005], np.float32),
        fair=np.ones(2, bool),
    )


@pytest.fixture
def small() -> FusionConfig:
    return FusionConfig(size=SIZE, channels=(8, 8, 8), blocks=(0, 1, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, person in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        write_samples(tmp_path / "samples", made_samples(name, person))
    return tmp_path / "samples"
