"""The likeness loss: faces are put upright, and a network of the user's own compares them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from facewire.codec.errors import ConfigError, TrainingError
from facewire.models.avfr.geometry import grid
from facewire.models.face.mesh import select_points
from facewire.models.face.table import FaceTable
from facewire.models.training.config import LossWeights, TrainConfig
from facewire.models.training.likeness import Likeness

SIDE = 256


class Place(torch.nn.Module):
    """An embedding that says where the face is brightest, in thirds of the picture."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), 3).flatten(1)


def saved(network: torch.nn.Module, path: Path) -> Path:
    torch.jit.trace(network, torch.rand(2, 3, 112, 112)).save(str(path))
    return path


def bump(at: np.ndarray) -> torch.Tensor:
    """A picture that is bright around a place on [-1, 1]: `[1, 3, SIDE, SIDE]`."""
    picture = torch.zeros(1, 3, SIDE, SIDE)
    z = grid(SIDE, picture)
    bright = torch.exp(-((z - torch.tensor(at, dtype=torch.float32)) ** 2).sum(-1) / 0.002)
    return picture + bright


def turned(points: np.ndarray, angle: float, scale: float, shift: list[float]) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return (points @ np.array([[c, s], [-s, c]]) + shift).astype(np.float32)


def test_a_face_that_is_turned_moved_and_smaller_is_the_same_face(tmp_path: Path) -> None:
    likeness = Likeness(saved(Place(), tmp_path / "place.pt"))
    points = select_points(FaceTable.blank().mean * 0.5)
    other = turned(points, 0.5, 0.8, [0.1, -0.1])
    embeddings = []
    for face, mouth in ((points, points[0]), (other, other[0])):
        places = likeness._upright(torch.from_numpy(face)[None])
        embeddings.append(likeness._embed(bump(mouth), places))
    brightest = {int(embedding.argmax()) for embedding in embeddings}
    assert len(brightest) == 1
    assert brightest <= {6, 7, 8}  # the corner of a mouth is in the lower third


def test_the_distance_is_of_embeddings_and_its_gradient_reaches_the_picture(tmp_path: Path) -> None:
    likeness = Likeness(saved(Place(), tmp_path / "place.pt"))
    points = torch.from_numpy(select_points(FaceTable.blank().mean * 0.5))[None]
    truth, other = bump(points[0, 0].numpy()), bump(np.array([0.0, 0.0]))
    assert float(likeness(truth, truth, points)) == pytest.approx(0, abs=1e-5)
    made = other.clone().requires_grad_()
    distance = likeness(made, truth, points)
    assert 0.1 < distance.item() <= 2
    distance.sum().backward()
    assert made.grad is not None
    assert float(made.grad.abs().max()) > 0


@pytest.mark.parametrize("what", ["missing", "text", "pictures", "sides"])
def test_other_files_are_told_apart(tmp_path: Path, what: str) -> None:
    path = tmp_path / "network.pt"
    if what == "text":
        path.write_text("not a network")
    elif what == "pictures":
        saved(torch.nn.Conv2d(3, 4, 3), path)
    elif what == "sides":
        torch.jit.script(torch.nn.Linear(64, 8)).save(str(path))
    with pytest.raises(TrainingError, match=r"network\.pt"):
        Likeness(path)


def test_the_loss_needs_a_network() -> None:
    with pytest.raises(ConfigError, match="likeness_net"):
        replace(TrainConfig(), losses=LossWeights(likeness=1.0))
