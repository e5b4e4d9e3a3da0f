"""`train_reenactor`: one person's pictures to a `FaceReenactor` (sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..face.mesh import select_points
from ..face.table import FaceTable
from ..training.config import Progress
from .drawing import draw_landmarks
from .generator_store import save_generator
from .landmarks import select_106
from .mask import face_mask
from .picture_loop import Batch, PictureLoop, PictureTraining
from .received import mesh_of
from .reenactor import FaceReenactor, ReenactorConfig
from .reenactor_objective import ReenactorLosses, reenactor_losses
from .shots import Shot, as_picture, spread

__all__ = ["drawn", "train_reenactor"]

_MEASURED = 32  # held-out pictures


def train_reenactor(
    config: ReenactorConfig,
    settings: PictureTraining,
    losses: ReenactorLosses,
    face: FaceTable,
    shots: Sequence[Shot],
    held_out: Sequence[Shot],
    out: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> FaceReenactor:
    """Train a reenactor on pictures of one person.

    `out` receives the files of `ResumableRun` and `model.safetensors`, in FP16, with the averages.
    `held-out.csv` gives their error on held-out pictures, in grey levels of 255: of the whole
    picture and of the face.

    Raises:
        TrainingError: no such checkpoint, or a loss that is no longer a number.
    """
    run = _Run(config, settings, losses, face, shots, held_out, out)
    if resume:
        run.load()
    run.train(progress)
    return run.average_network


def drawn(shots: Sequence[Shot], size: int) -> Batch:
    """Pictures with their landmark drawings and masks, as `FaceReenactor` learns from them.

    Returns:
        `drawing` `[B, 1, S, S]`, `mask` likewise, `picture` `[B, 3, S, S]` on [0, 1].
    """
    marks = [select_106(mesh_of(select_points(s.clip.landmarks[s.frame]))) for s in shots]

    def plane(pictures: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.stack(pictures))[:, None]

    return {
        "drawing": plane([draw_landmarks(points, size) for points in marks]),
        "mask": plane([face_mask(points, size) for points in marks]),
        "picture": as_picture([shot.picture(size) for shot in shots]),
    }


class _Run(PictureLoop):
    def __init__(
        self,
        config: ReenactorConfig,
        settings: PictureTraining,
        losses: ReenactorLosses,
        face: FaceTable,
        shots: Sequence[Shot],
        held_out: Sequence[Shot],
        out: Path,
    ) -> None:
        torch.manual_seed(settings.seed)
        network = FaceReenactor(config, face)
        super().__init__(settings, config.to_dict(), network, 1, losses.adversarial, out)
        self.config, self.losses = config, losses
        self.shots, self.held_out = shots, spread(held_out, _MEASURED)

    def draw(self, rng: np.random.Generator) -> Batch:
        rows = rng.integers(len(self.shots), size=self.settings.batch)
        return drawn([self.shots[row] for row in rows], self.config.size)

    def make(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        made = self.network(batch["drawing"])
        return made, reenactor_losses(made, batch["picture"], batch["mask"], self.losses)

    def seen(self, batch: Batch, picture: Tensor) -> Tensor:
        return torch.cat([picture, batch["drawing"]], 1)

    @property
    def average_network(self) -> FaceReenactor:
        if not isinstance(self.average, FaceReenactor):
            raise TypeError("the average is a copy of the network")
        return self.average

    def evaluate(self) -> dict[str, float]:
        whole, face = [], []
        with torch.inference_mode():
            for shot in self.held_out:
                batch = {n: v.to(self.device) for n, v in drawn([shot], self.config.size).items()}
                error = (self.average(batch["drawing"]) - batch["picture"]).abs() * 255
                whole.append(float(error.mean()))
                covered = batch["mask"].sum().clamp(min=1) * 3
                face.append(float((error * batch["mask"]).sum() / covered))
        return {"picture_levels": float(np.mean(whole)), "face_levels": float(np.mean(face))}

    def publish(self) -> None:
        network = self.average_network
        save_generator(network, network.config.to_dict(), network.face, self.out)
