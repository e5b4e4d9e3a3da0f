"""`train_paper`: trains the paper's predictor, with or without its discriminator (section 5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from ..training.config import Progress
from ..training.resumable import ResumableRun
from .network import GeometryPredictor, LandmarkDiscriminator
from .objective import GeometryLosses, discriminator_loss, predictor_losses
from .paper_evaluate import landmark_figures, predicted
from .paper_frames import PaperFrames
from .store import PAPER, save_paper

__all__ = ["PaperTraining", "train_paper"]


@dataclass(frozen=True)
class PaperTraining:
    """How the network is trained; the defaults are the paper's, except for the number of steps.

    Attributes:
        steps: of the whole run.
        minutes: if above 0, the run ends after so many, whichever comes first.
        learning_rate: of Adam, with betas 0.99 and 0.999.
        batch: frames of a step.
        evaluate_every: steps between measurements of the held-out frames.
        seed: of weights and batches.
        losses: see there; without an adversarial weight there is no discriminator.
    """

    steps: int = 10_000
    minutes: float = 0.0
    learning_rate: float = 3e-4
    batch: int = 32
    evaluate_every: int = 500
    seed: int = 0
    losses: GeometryLosses = field(default_factory=GeometryLosses)


def train_paper(
    settings: PaperTraining,
    frames: PaperFrames,
    held_out: PaperFrames,
    out: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> GeometryPredictor:
    """Train the paper's predictor on frames of one person, or of a few.

    `out` receives the files of `ResumableRun` and `model.safetensors`, in FP16. `held-out.csv`
    gives the error of the held-out frames: see `landmark_figures`.

    Raises:
        TrainingError: no such checkpoint, or a loss that is no longer a number.
    """
    run = _Run(settings, frames, held_out, out)
    if resume:
        run.load()
    run.train(progress)
    return run.network.eval()


class _Run(ResumableRun):
    def __init__(
        self, settings: PaperTraining, frames: PaperFrames, held_out: PaperFrames, out: Path
    ) -> None:
        super().__init__(out, PAPER, settings.steps, settings.minutes, settings.evaluate_every)
        torch.manual_seed(settings.seed)
        self.settings, self.frames, self.held_out = settings, frames, held_out
        self.network = GeometryPredictor()
        # It begins at the mean face, so that the steps go into what differs from it.
        with torch.no_grad():
            mean = torch.from_numpy(frames.landmarks.mean(0))
            cast(torch.nn.Linear, self.network.geometry[-1]).bias.copy_(mean.flatten())
        self.optimiser = self._adam(self.network)
        self.judge: LandmarkDiscriminator | None = None
        if settings.losses.adversarial > 0:
            self.judge = LandmarkDiscriminator(mean)
            self.judge_optimiser = self._adam(self.judge)

    def _adam(self, network: torch.nn.Module) -> torch.optim.Adam:
        rate = self.settings.learning_rate
        return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.99, 0.999))

    def begin(self, step: int) -> None:
        self.rng = np.random.default_rng(self.settings.seed + 104_729 * step)

    def one_step(self) -> dict[str, float]:
        self.network.train()
        rows = self.rng.integers(len(self.frames.at), size=self.settings.batch)
        *inputs, true = self.frames.batch(rows)
        made = self.network(*inputs)
        losses: dict[str, float] = {}
        if self.judge is not None:
            told = discriminator_loss(self.judge, made, true)
            losses = self.descend(self.judge_optimiser, {"discriminator": told})
        terms = predictor_losses(made, true, self.settings.losses, self.judge)
        return self.descend(self.optimiser, terms) | losses

    def evaluate(self) -> dict[str, float]:
        return landmark_figures(*predicted(self.network, self.held_out))

    def parts(self) -> dict[str, Any]:
        found: dict[str, Any] = {"model": self.network, "optimiser": self.optimiser}
        if self.judge is not None:
            found |= {"judge": self.judge, "judge_optimiser": self.judge_optimiser}
        return found

    def publish(self) -> None:
        save_paper(self.network, self.out)
