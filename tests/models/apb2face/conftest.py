"""Made-up talks: a mouth that opens with the loudness of its sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facewire.models.apb2face.talks import Talk
from facewire.models.mel import MEL_BANDS

FRAMES = 60


def made_talk(name: str, identity: str, frames: int = FRAMES) -> Talk:
    """A face of random points whose lower lip goes down where the sound is loud."""
    rng = np.random.default_rng(list(identity.encode()))
    face = rng.uniform(-0.3, 0.3, (478, 2))
    face[[33, 263]] = (-0.2, -0.1), (0.2, -0.1)
    face[13], face[14] = (0, 0.2), (0, 0.21)
    rng = np.random.default_rng(list(name.encode()))
    loud = (np.sin(np.arange(frames) / 3 + rng.uniform(0, 6)) > 0).astype(np.float32)
    landmarks = np.repeat(face[None], frames, 0) + rng.normal(0, 0.0005, (frames, 478, 2))
    landmarks[:, [14, 17, 84, 314, 87, 317], 1] += 0.03 * loud[:, None]
    mel = np.repeat(loud, 4)[:, None] * 0.8 - 0.5 + rng.normal(0, 0.05, (4 * frames, MEL_BANDS))
    return Talk(name, identity, landmarks.astype(np.float32), mel.astype(np.float32))


def write_talk(folder: Path, talk: Talk, fps: float = 25.0) -> Path:
    """A talk as `prepare_talks` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{talk.name}.npz"
    faces = np.ones(len(talk.landmarks), np.uint8)
    np.savez(path, landmarks=talk.landmarks, faces=faces, mel=talk.mel, fps=fps,
             identity=talk.identity)  # fmt: skip
    return path


@pytest.fixture
def talks() -> list[Talk]:
    return [made_talk(f"{person}{n}", person) for person in "abc" for n in range(2)]
