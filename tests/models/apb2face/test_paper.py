"""The paper's predictor, its discriminator and their losses."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from facewire.models.apb2face.features import MFCC, STEPS, HeadAngles, mfcc, mfcc_window
from facewire.models.apb2face.landmarks import COUNT, TABLE, blinks, select_106
from facewire.models.apb2face.network import GeometryPredictor, LandmarkDiscriminator, scaled
from facewire.models.apb2face.objective import (
    GeometryLosses,
    discriminator_loss,
    landmark_error_px,
    predictor_losses,
)
from facewire.models.apb2face_v2.fuser import AudioAwareFuser
from facewire.models.face.canonical import CanonicalFace
from facewire.models.mel import HOP


def test_the_table_has_106_different_landmarks() -> None:
    assert len(TABLE) == len(set(TABLE)) == COUNT == 106
    assert 0 <= min(TABLE) <= max(TABLE) < 478
    marks = np.arange(478 * 2, dtype=np.float32).reshape(478, 2)
    np.testing.assert_array_equal(select_106(marks)[:, 0], 2 * np.array(TABLE))


def test_shapes() -> None:
    network = GeometryPredictor()
    made = network(torch.zeros(3, 1, STEPS, MFCC), torch.zeros(3, 3), torch.zeros(3, 2))
    assert made.shape == (3, COUNT, 2)
    assert LandmarkDiscriminator(torch.zeros(COUNT, 2))(made).shape == (3,)


def test_layers_are_those_of_the_paper() -> None:
    network = GeometryPredictor()

    def layers(part: torch.nn.Module, kind: type) -> list[torch.nn.Module]:
        return [module for module in part.modules() if isinstance(module, kind)]

    convolution, linear = torch.nn.Conv2d, torch.nn.Linear
    assert [c.out_channels for c in layers(network.features, convolution)] == [
        *(72, 108, 162, 243, 256)
    ]
    assert [c.kernel_size for c in layers(network.time, convolution)] == [(3, 1)] * 4 + [(4, 1)]
    parts = (network.pose, network.blink, network.geometry)
    assert [len(layers(part, linear)) for part in parts] == [4, 3, 2]
    assert len(layers(LandmarkDiscriminator(torch.zeros(COUNT, 2)), linear)) == 7


def test_parameters() -> None:
    """Of convolutions and linear layers, counted by hand."""
    widths = (1, 72, 108, 162, 243, 256)
    across = sum(3 * a * b + b for a, b in itertools.pairwise(widths))
    along = 4 * (3 * 256 * 256 + 256) + 4 * 256 * 256 + 256
    sound = 512 * 256 + 256
    pose = (3 * 64 + 64) + 3 * (64 * 64 + 64)
    blink = (2 * 64 + 64) + 2 * (64 * 64 + 64)
    geometry = 384 * 256 + 256 + 256 * 212 + 212
    count = sum(p.numel() for p in GeometryPredictor().parameters())
    assert count == across + along + sound + pose + blink + geometry


@pytest.mark.parametrize("make", [GeometryPredictor, AudioAwareFuser])
def test_sound_pose_and_blinks_count_about_alike_at_first(make: type) -> None:
    """Ten convolutions must not weaken the sound, and it must not drown the others."""
    torch.manual_seed(0)
    network = make()
    pose, blink = scaled(0.1 * torch.randn(32, 3), 0.3 + 0.1 * torch.randn(32, 2))
    with torch.no_grad():
        along = network.time(network.features(torch.randn(32, 1, STEPS, MFCC)))
        parts = (network.sound(along.flatten(1)), network.pose(pose), network.blink(blink))
    varied = [float((part - part.mean(0)).norm(dim=1).mean()) for part in parts]
    assert max(varied) < 10 * min(varied)


def test_losses_have_the_weights_of_the_paper() -> None:
    judge = LandmarkDiscriminator(torch.zeros(COUNT, 2))
    for parameter in judge.parameters():
        torch.nn.init.zeros_(parameter)  # so it gives every face the score 0
    judge.requires_grad_(False)
    made, true = torch.zeros(2, COUNT, 2), torch.full((2, COUNT, 2), 0.25)
    terms = predictor_losses(made, true, GeometryLosses(), judge)
    assert float(terms["l1"]) == pytest.approx(100 * 0.25)
    assert float(terms["adversarial"]) == pytest.approx(0.1 * math.log(2))
    assert float(discriminator_loss(judge, made, true)) == pytest.approx(2 * math.log(2))
    assert set(predictor_losses(made, true, GeometryLosses(adversarial=0), judge)) == {"l1"}
    assert float(landmark_error_px(made, true)) == pytest.approx(0.25 * math.sqrt(2) * 128)


def test_the_discriminator_sees_how_faces_move() -> None:
    """Untrained verdicts on faces differ by what moves them, however little that is of a face."""
    torch.manual_seed(0)
    mean = torch.rand(COUNT, 2) - 0.5
    faces = mean + 0.02 * torch.einsum("bk,kpc->bpc", torch.randn(32, 4), torch.randn(4, COUNT, 2))
    assert float(LandmarkDiscriminator(mean)(faces).std().detach()) > 0.1


def test_the_discriminator_teaches_the_predictor_alone() -> None:
    """Its own loss does not reach the predictor."""
    made = torch.zeros(2, COUNT, 2, requires_grad=True)
    judge = LandmarkDiscriminator(torch.zeros(COUNT, 2))
    discriminator_loss(judge, made, torch.ones(2, COUNT, 2)).backward()
    assert made.grad is None
    assert all(p.grad is not None for p in judge.parameters())


def test_blinks_are_height_over_width() -> None:
    marks = np.zeros((478, 2), np.float32)
    marks[[33, 133, 362, 263], 0] = 0, 0.2, 0.4, 0.6
    marks[[160, 158], 1], marks[[144, 153], 1] = -0.02, 0.04
    marks[[385, 387], 1] = -0.01
    np.testing.assert_allclose(blinks(marks), [0.3, 0.05], atol=1e-6)


def test_mfcc_of_a_constant_sound() -> None:
    found = mfcc(np.full((5, 80), 0.5, np.float32))
    assert found.shape == (5, MFCC)
    np.testing.assert_allclose(found[:, 0], 0.5 * math.sqrt(80), rtol=1e-5)
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-5)
    assert mfcc(np.zeros((0, 80), np.float32)).shape == (0, MFCC)


def test_mfcc_window_has_the_frame_in_its_middle() -> None:
    steps = np.arange(200, dtype=np.float32)[:, None].repeat(MFCC, 1)
    window = mfcc_window(steps, 100 * HOP)
    assert window.shape == (STEPS, MFCC)
    assert (window[0, 0], window[-1, 0]) == (68, 131)
    assert mfcc_window(steps, 0)[0, 0] == 0
    assert not mfcc_window(steps[:0], 0).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("angle", [-0.4, 0.3])
def test_angles_of_a_turned_head(axis: int, angle: float) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(0, 5, (468, 3))
    face = CanonicalFace(points, np.ones(468), np.zeros((1, 3), np.int32))
    c, s = math.cos(angle), math.sin(angle)
    # In axes of the picture (x right, y down, z away): yaw, pitch, roll.
    turns = [
        [[c, 0, -s], [0, 1, 0], [s, 0, c]],
        [[1, 0, 0], [0, c, -s], [0, s, c]],
        [[c, s, 0], [-s, c, 0], [0, 0, 1]],
    ]
    seen = (points * (1, -1, -1)) @ np.array(turns[axis]).T
    marks = np.zeros((478, 2), np.float32)
    marks[:468] = seen[:, :2] * 0.05 + (0.1, -0.2)
    expected = np.zeros(3)
    expected[axis] = angle
    np.testing.assert_allclose(HeadAngles(face).angles(marks), expected, atol=1e-3)
