"""`FaceReenactor`: what it sees, its losses, its size, and a run that stops and goes on."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, TrainingError
from facewire.models.apb2face.drawing import draw_landmarks
from facewire.models.apb2face.generator_store import load_reenactor, save_generator
from facewire.models.apb2face.landmarks import COUNT, TABLE, select_106
from facewire.models.apb2face.mask import face_mask
from facewire.models.apb2face.network import GeometryPredictor
from facewire.models.apb2face.picture_loop import PictureTraining
from facewire.models.apb2face.received import mesh_of
from facewire.models.apb2face.reenactor import FaceReenactor, ReenactorConfig
from facewire.models.apb2face.reenactor_objective import ReenactorLosses, reenactor_losses
from facewire.models.apb2face.reenactor_train import drawn, train_reenactor
from facewire.models.apb2face.shots import split_shots
from facewire.models.face.gaze import gaze_of, with_irises
from facewire.models.face.mesh import IRISES, POINTS, select_points
from facewire.models.face.table import FaceTable
from facewire.models.weights import load_card
from tests.models.conftest import made_clip

TINY = ReenactorConfig(size=32, channels=4, blocks=1)
PAPER_M = 16.696


def test_with_the_predictor_it_has_the_parameters_of_the_paper() -> None:
    networks = (FaceReenactor(ReenactorConfig(), FaceTable.blank()), GeometryPredictor())
    count = sum(p.numel() for network in networks for p in network.parameters())
    assert count / 1e6 == pytest.approx(PAPER_M, rel=0.05)


@pytest.mark.parametrize("wrong", [{"size": 30}, {"channels": 0}, {"blocks": 0}])
def test_a_shape_that_cannot_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="multiple of 4"):
        ReenactorConfig(**wrong)


def test_a_receiver_has_all_106_landmarks() -> None:
    assert set(TABLE) <= {*POINTS, *IRISES}
    marks = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 478, 2)).astype(np.float32)
    points = select_points(marks)
    full = np.concatenate([points, marks[:, IRISES]], 1)
    np.testing.assert_array_equal(select_106(mesh_of(full)), select_106(marks))
    # Without irises they lie between the corners of the eyes, and nothing else changes.
    assert not gaze_of(mesh_of(points)).any()
    same = [at for at, index in enumerate(TABLE) if index not in IRISES]
    np.testing.assert_array_equal(select_106(mesh_of(points))[:, same], select_106(marks)[:, same])
    straight = with_irises(points, np.zeros((3, 2), np.float32))
    np.testing.assert_array_equal(mesh_of(points), mesh_of(straight))


def test_landmarks_become_dots() -> None:
    points = np.array([[0, 0], [-1, -1], [5, 0], [np.inf, 0]], np.float32)
    drawing = draw_landmarks(points, 9)
    assert drawing.dtype == np.float32
    wanted = np.zeros((9, 9))
    wanted[3:6, 3:6] = 1  # the middle
    wanted[:2, :2] = 1  # a corner, where the rest of the dot lies outside
    np.testing.assert_array_equal(drawing, wanted)


def test_the_mask_covers_the_face_and_a_little_more() -> None:
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [0, 0]], np.float32)
    mask = face_mask(square, 64)
    assert mask[16:48, 16:48].all()
    assert mask[32, 12] == mask[32, 51] == 1
    assert mask[32, 10] == mask[32, 53] == mask[11, 11] == 0


def test_losses_have_the_weights_of_the_paper() -> None:
    true = torch.zeros(1, 3, 4, 4)
    made, mask = true.clone(), torch.zeros(1, 1, 4, 4)
    mask[..., :2, :] = 1
    made[..., :2, :] = 0.25  # half of the picture; on [-1, 1] that is 0.5
    terms = reenactor_losses(made, true, mask, ReenactorLosses())
    assert float(terms["l1"]) == pytest.approx(100 * 0.25)
    assert float(terms["mask"]) == pytest.approx(100 * 0.5)
    assert ReenactorLosses().adversarial == 1
    empty = reenactor_losses(made, true, 0 * mask, ReenactorLosses())
    assert float(empty["mask"]) == 0


def test_the_last_fifth_of_each_person_is_held_out() -> None:
    clips = [made_clip(f"clip{n}", "ab"[n % 2], 20) for n in range(4)]
    first, last = split_shots(clips)
    assert {name: (len(first[name]), len(last[name])) for name in first} == {
        "a": (16, 4),
        "b": (16, 4),
    }
    assert all(shot.clip is clips[2] and shot.frame >= 12 for shot in last["a"])
    with pytest.raises(TrainingError, match="three pictures"):
        split_shots([made_clip("clip", "a", 4)])


def test_what_it_learns_from() -> None:
    clip = made_clip("clip", "a", 6)
    (shots,), _ = (part.values() for part in split_shots([clip]))
    batch = drawn(shots, 32)
    assert {name: tuple(v.shape) for name, v in batch.items()} == {
        "drawing": (2, 1, 32, 32),
        "mask": (2, 1, 32, 32),
        "picture": (2, 3, 32, 32),
    }
    marks = select_106(mesh_of(select_points(clip.landmarks[2])))
    assert len(marks) == COUNT
    np.testing.assert_array_equal(batch["drawing"][1, 0].numpy(), draw_landmarks(marks, 32))


def train(out: Path, steps: int, *, resume: bool = False) -> FaceReenactor:
    first, last = split_shots([made_clip("clip", "a", 20)])
    settings = PictureTraining(steps=steps, batch=2, evaluate_every=2, seed=3, judge=4)
    face = FaceTable.blank()
    return train_reenactor(
        TINY, settings, ReenactorLosses(), face, first["a"], last["a"], out, resume=resume
    )


def test_a_run_that_stops_and_goes_on_is_the_same(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 2)
    parts = train(tmp_path / "parts", 4, resume=True)
    other = FaceReenactor(TINY, FaceTable.blank()).state_dict()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0)
        assert not torch.equal(other[name], value)
    with (tmp_path / "parts" / "held-out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(0 < float(row["face_levels"]) < 255 for row in rows)
    with pytest.raises(TrainingError, match="cannot be resumed"):
        train(tmp_path / "nothing", 4, resume=True)


def test_it_learns_a_picture_by_heart(tmp_path: Path) -> None:
    """The error of held-out pictures, which look alike, falls to a third."""
    clip = made_clip("clip", "a", 20)
    clip = replace(clip, frames=np.full_like(clip.frames, 200))
    first, last = split_shots([clip])
    settings = PictureTraining(steps=40, batch=2, evaluate_every=20, learning_rate=2e-3, ema=0.5)
    losses, face = ReenactorLosses(adversarial=0), FaceTable.blank()
    train_reenactor(TINY, settings, losses, face, first["a"], last["a"], tmp_path)
    with (tmp_path / "held-out.csv").open() as file:
        errors = [float(row["picture_levels"]) for row in csv.DictReader(file)]
    assert errors[-1] < (200 - 127.5) / 3


def test_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = FaceReenactor(TINY, FaceTable.blank())
    save_generator(network, TINY.to_dict(), network.face, tmp_path)
    card = load_card(tmp_path)
    assert card.name == "apb2face"
    found = load_reenactor(card).state_dict()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(found[name], value.half().float(), rtol=0, atol=0)
    np.testing.assert_array_equal(card.face_table().mean, network.face.mean)
