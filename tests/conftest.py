"""For all tests: a demo clip, made once, no deadlines (a test is no benchmark), and the order."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from safetensors.numpy import save_file

from facewire.cli.demo.clip import make_demo_clip
from facewire.models.face.table import FaceTable
from facewire.sender.tracking.capture import Capture

LONGEST = (
    "tests/call/test_calls.py",
    "tests/cli/test_train.py",
    "tests/cli/test_evaluate.py",
    "tests/sender/test_call.py",
    "tests/sender/test_rate_kept.py",
    "tests/sender/test_files.py",
    "tests/cli/test_train_fusion.py",
    "tests/call/test_session.py",
    "tests/call/line/test_line.py",
    "tests/cli/test_enroll.py",
    "tests/test_snippets.py",
    "tests/test_silence.py",
    "tests/sender/test_appearance.py",
    "tests/test_end_to_end.py",
    "tests/eval/test_codecs.py",
    "tests/sender/test_base_layer.py",
    "tests/sender/tracking/test_clock.py",
    "tests/eval/test_report.py",
)
"""Modules that take longest, the longest first. A worker of pytest-xdist takes a module at a time,
so one that takes long and begins last leaves the other workers idle. By itself, xdist begins with
the modules of the most tests; hence `--no-loadscope-reorder` in the Makefile.
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    turns = {name: turn for turn, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turns.get(item.nodeid.partition("::")[0], len(turns)))


@pytest.fixture(autouse=True)
def plain_logging() -> None:
    """A library that another test has loaded, or a command that it ran, may have silenced what this
    test wants to read.
    """
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("facewire")]:
        logger = logging.getLogger(name)
        logger.disabled, logger.propagate = False, True
        logger.setLevel(logging.NOTSET)


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


@pytest.fixture(scope="session")
def gaze_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an exported network that shows where the eyes look, with the face table of `s`. Its
    pictures have 64x64 pixels. Its weights are random, but it moves pixels with the landmarks.
    """
    import torch

    from facewire.models.avfr import SIZES
    from facewire.models.avfr.export import openvino_graphs
    from facewire.models.avfr.model import Avfr
    from facewire.models.weights import load_card
    from facewire.models.weights.runtime_graphs import save_graphs

    changes = {"channels": (8, 16), "blocks": (0, 1), "motion_base": 8, "motion_max": 16}
    small = SIZES["xs"].with_changes(
        name="gaze", gaze=True, size=64, motion_size=16, motion_levels=2, **changes
    )
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("gaze")
    model = Avfr(small, load_card("s").face_table())
    with torch.no_grad():
        model.generator.motion.mask.bias[-1] = 8
    model.save_pretrained(folder)
    save_graphs(load_card(folder), openvino_graphs(model))
    return folder
