"""A tiny APB2FaceV2: trained a few steps, stopped, resumed, exported."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.models.apb2face.features import HeadAngles, mfcc
from facewire.models.apb2face.picture_loop import PictureTraining
from facewire.models.apb2face.received import head_of
from facewire.models.apb2face.shots import split_shots
from facewire.models.apb2face_v2.export import export_reenactor
from facewire.models.apb2face_v2.inputs import blink_of, pose_of, sound_of
from facewire.models.apb2face_v2.network import Apb2FaceV2, ReenactorV2Config
from facewire.models.apb2face_v2.objective import ReenactorV2Losses
from facewire.models.apb2face_v2.store import load_v2
from facewire.models.apb2face_v2.train import driven, train_v2
from facewire.models.face.canonical import CanonicalFace
from facewire.models.face.mesh import POINTS
from facewire.models.face.table import FaceTable
from facewire.models.mel import MEL_BANDS, MEL_STEPS
from facewire.models.weights import load_card
from tests.models.conftest import made_clip

TINY = ReenactorV2Config(size=32, channels=4, blocks=1, hidden=4)


def made_head() -> CanonicalFace:
    """A head of random points, with some that count."""
    rng = np.random.default_rng(0)
    weights = np.zeros(468)
    weights[::7] = 1
    return head_of(CanonicalFace(rng.normal(0, 5, (468, 3)), weights, np.zeros((1, 3), np.int32)))


def train(out: Path, steps: int, *, resume: bool = False) -> Apb2FaceV2:
    clips = [made_clip(f"clip{n}", "ab"[n % 2], 20) for n in range(3)]
    settings = PictureTraining(steps=steps, batch=2, evaluate_every=2, seed=3, judge=4)
    parts = (FaceTable.blank(), made_head(), *split_shots(clips), out)
    return train_v2(TINY, settings, ReenactorV2Losses(), *parts, resume=resume)


def test_a_run_that_stops_and_goes_on_is_the_same(tmp_path: Path) -> None:
    whole = train(tmp_path / "whole", 4)
    train(tmp_path / "parts", 2)
    parts = train(tmp_path / "parts", 4, resume=True)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=0, atol=0)
    with (tmp_path / "parts" / "held-out.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(float(row["landmarks_px"]) > 0 for row in rows)
    card = load_card(tmp_path / "parts")
    assert card.name == "apb2face-v2"
    stored = load_v2(card).state_dict()
    torch.testing.assert_close(stored["head_points"], whole.head_points, rtol=0, atol=0)
    assert export_reenactor(card) < 1e-3


def test_pairs_are_of_one_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from facewire.models.apb2face_v2 import train as module

    seen = []

    def spied(references, targets, angles, size):  # type: ignore[no-untyped-def]
        seen.extend(zip(references, targets, strict=True))
        return driven(references, targets, angles, size)

    monkeypatch.setattr(module, "driven", spied)
    train(tmp_path, 4)
    assert {a.clip.identity for a, _ in seen} == {"a", "b"}
    assert all(a.clip.identity == b.clip.identity for a, b in seen)


def test_sound_fills_the_window_of_the_paper() -> None:
    mel = np.random.default_rng(0).normal(0, 0.3, (MEL_BANDS, MEL_STEPS)).astype(np.float32)
    sound, steps = sound_of(mel), mfcc(mel.T)
    assert sound.shape == (1, 64, 60)
    np.testing.assert_array_equal(sound[0, 22:42], steps)
    assert (sound[0, :22] == steps[0]).all()
    assert (sound[0, 42:] == steps[-1]).all()


def test_pose_and_blink_of_what_a_receiver_has() -> None:
    head = made_head()
    angles = HeadAngles(head)
    yaw = 0.3
    turned = head.points * (1, -1, -1)
    turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    points = ((turned @ turn.T)[:, :2] / 20).astype(np.float32)
    pose = pose_of(angles, points)
    assert abs(abs(float(pose[0])) - yaw) < 1e-3
    assert abs(pose[1:]).max() < 1e-3
    irises = np.concatenate([points, points[:2]])
    np.testing.assert_array_equal(pose_of(angles, irises), pose)
    eyes = np.zeros((len(POINTS), 2), np.float32)
    for index, place in {33: (0, 0), 133: (0.2, 0), 160: (0, -0.02), 144: (0, 0.04),
                         158: (0.1, -0.02), 153: (0.1, 0.04)}.items():  # fmt: skip
        eyes[POINTS.index(index)] = place
    assert blink_of(eyes)[0] == pytest.approx(0.3)
