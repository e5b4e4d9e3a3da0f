"""The transform and tables of profile `entropy`: how they are made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.motion.entropy import MotionDecoder, MotionEncoder
from facewire.codec.motion.frame import MotionFrame
from facewire.codec.motion.tables import load_tables, step_size
from facewire.models.avfr.config import AvfrConfig
from facewire.models.avfr.model import Avfr
from facewire.models.face.gaze import gaze_of
from facewire.models.face.table import FaceTable
from facewire.models.training.cache import read_cache
from facewire.models.training.fit_gaze import UNIT, fit_gaze_tables, gazing
from facewire.models.training.fit_metric import measure, motion_metric
from facewire.models.training.fit_motion import fit_motion_tables


def walks(count: int, frames: int, seed: int = 0) -> list[list[MotionFrame]]:
    """Faces that wander; coordinates by ten times as much as jacobians."""
    rng = np.random.default_rng(seed)
    size = np.tile([0.01, 0.01, 0.001, 0.001, 0.001, 0.001], 10)
    start = np.tile([0, 0, 1, 0, 0, 1], 10)
    made = []
    for _ in range(count):
        numbers = start + np.cumsum(rng.normal(0, 1, (frames, 60)) * size, 0)
        made.append([MotionFrame.from_array(n.reshape(10, 6).astype(np.float32)) for n in numbers])
    return made


def error(metric: np.ndarray, seed: int = 1) -> tuple[float, float]:
    """What coding with tables of a metric loses: in the first coordinate, in the second."""
    tables = fit_motion_tables(walks(3, 12), 60, metric)
    encoder, decoder = MotionEncoder(4, tables=tables), MotionDecoder(tables)
    (frames,) = walks(1, 40, seed)
    payload = encoder.encode(frames, 0, 0, frames[0])
    found = [frame for _, frame in decoder.decode(payload, 0, 0, frames[0])]
    lost = np.stack([a.value - b.value for a, b in zip(frames, found, strict=True)])
    lost = (lost**2).mean((0, 1))
    return float(lost[0]), float(lost[1])


def test_what_the_picture_feels_more_is_coded_finer() -> None:
    alike = np.eye(60)
    wide = np.diag(np.tile([9.0, 1, 1, 1, 1, 1], 10))
    x, y = error(alike)
    finer, coarser = error(wide)
    assert x == pytest.approx(y, rel=0.5)
    assert finer < 0.5 * x
    assert coarser > finer


def test_back_undoes_forward_and_a_fit_can_be_repeated() -> None:
    rng = np.random.default_rng(2)
    root = rng.normal(0, 1, (60, 60))
    metric = root @ root.T + 60 * np.eye(60)
    tables = fit_motion_tables(walks(2, 8), 60, metric)
    product = tables.back.astype(np.float64) @ tables.forward.astype(np.float64).T
    assert np.allclose(product, np.eye(60), atol=1e-3)
    again = fit_motion_tables(walks(2, 8), 60, metric)
    assert np.array_equal(again.forward, tables.forward)
    assert again.difference == tables.difference
    scaled = fit_motion_tables(walks(2, 8), 60, 5 * metric)
    assert np.allclose(scaled.forward[:5], tables.forward[:5], rtol=1e-2, atol=1e-1)


@pytest.mark.parametrize("gaze", [False, True])
def test_the_metric_is_what_the_network_does(tiny: AvfrConfig, cache: Path, gaze: bool) -> None:
    torch.manual_seed(0)
    model = Avfr(tiny.with_changes(gaze=gaze), FaceTable.blank()).eval()
    clip = read_cache(cache)[0]
    found = measure(model, clip, np.random.default_rng(0))
    assert found is not None
    assert set(found) == {"face", "mouth", "eyes"}
    metric = motion_metric([found, found])
    assert metric.shape == (60, 60)
    assert np.allclose(metric, metric.T)
    assert np.linalg.eigvalsh(metric).min() > -1e-9 * np.abs(metric).max()
    assert np.allclose(metric, motion_metric([found]))
    again = measure(model, clip, np.random.default_rng(0))
    assert again is not None
    assert np.allclose(again["face"], found["face"])


def glances(seed: int, frames: int = 30) -> list[MotionFrame]:
    """A face that wanders, whose eyes rest and then look elsewhere."""
    rng = np.random.default_rng(seed)
    gaze = np.repeat(rng.uniform(-0.5, 0.5, (-(-frames // 10), 2)), 10, 0).astype(np.float32)
    (motion,) = walks(1, frames, seed)
    return [replace(one, gaze=look) for one, look in zip(motion, gaze, strict=False)]


def test_tables_of_the_gaze_leave_the_others_as_they_are_and_learn_how_eyes_move() -> None:
    tables, known = fit_gaze_tables([glances(seed) for seed in range(4)]), load_tables()
    count = known.components
    assert tables.components == count + 2
    assert tables.difference[:count] == known.difference
    assert tables.intra[:count] == known.intra
    assert np.array_equal(tables.back[:count, :60], known.back)
    frames = glances(9)
    payload = MotionEncoder(3, tables=tables).encode(frames, 0, 0, frames[0])
    found = [frame for _, frame in MotionDecoder(tables).decode(payload, 0, 0, frames[0])]
    off = np.abs([one.gaze - other.gaze for one, other in zip(frames, found, strict=True)])
    assert off.max() <= 0.61 * step_size(3) * UNIT
    calm = np.diff(tables.difference[count][0])
    assert calm[15] > 0.8 * calm.sum()  # eyes that rested go on to rest


def test_what_is_fitted_has_the_gaze_of_its_frames(cache: Path) -> None:
    seen = read_cache(cache)[0].landmarks
    frames = gazing(seen, FaceTable.blank())
    assert len(frames) == len(seen)
    assert np.allclose(frames[-1].gaze, gaze_of(seen[-1]))
