"""For all tests: a demo clip, made once, and no deadlines: a test is no benchmark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from safetensors.numpy import save_file

from facewire.cli.demo.clip import make_demo_clip
from facewire.models.face.table import FaceTable
from facewire.sender.tracking.capture import Capture

settings.register_profile("facewire", deadline=None)
settings.load_profile("facewire")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 25 fps, 256x256, with sound."""
    return make_demo_clip(tmp_path_factory.mktemp("clip") / "demo.mp4", 3.0)


@pytest.fixture(scope="session")
def frames(clip: Path) -> list[npt.NDArray[np.uint8]]:
    return [frame for frame, _ in Capture(clip).frames()]


def blank_network(folder: Path) -> Path:
    """Folder of a network that knows nothing: enough to encode for."""
    table = FaceTable.blank()
    tensors = {f"face.{name}": getattr(table, name) for name in FaceTable.NAMES}
    save_file(tensors, folder / "model.safetensors", {"config": json.dumps({"name": "s"})})
    return folder


@pytest.fixture(scope="session")
def card(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `blank_network`."""
    return blank_network(tmp_path_factory.mktemp("network"))
