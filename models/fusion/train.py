"""`train_fusion`: trains the fusion network. It can be stopped at any moment, and continued."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...codec.errors import TrainingError
from ..training.config import Progress
from ..training.resumable import ResumableRun
from ..training.schedule import follow, rate_at
from .batches import Batch, BatchSettings, batches
from .network import Fusion, FusionConfig
from .objective import FusionLosses, FusionObjective
from .samples import Samples
from .store import save_fusion

__all__ = ["FusionTraining", "train_fusion"]


@dataclass(frozen=True)
class FusionTraining:
    """How the network is trained.

    Attributes:
        steps: number of steps of the whole run. The learning rate falls along a cosine until its
            end. minutes: if above 0, the run ends after so many minutes, if that is earlier. Time
            between a stop and `resume` does not count.
        learning_rate: the highest learning rate of Adam.
        warmup: number of steps until the learning rate is at its highest.
        ema: how much of the averaged weights each step keeps, 0 to 1.
        seed: decides the first weights and the batches.
        batch: see `BatchSettings`.
        losses: see `FusionLosses`.
        half: learn in bf16 where that is safe, for processors that have instructions for it.
    """

    steps: int = 20_000
    minutes: float = 0.0
    learning_rate: float = 1e-3
    warmup: int = 50
    ema: float = 0.998
    seed: int = 0
    batch: BatchSettings = field(default_factory=BatchSettings)
    losses: FusionLosses = field(default_factory=FusionLosses)
    half: bool = False


def train_fusion(
    config: FusionConfig,
    settings: FusionTraining,
    samples: Sequence[Samples],
    out: Path,
    *,
    resume: bool = False,
    start_from: Fusion | None = None,
    progress: Progress | None = None,
) -> Fusion:
    """Train a network; returns the averaged one, which `out` holds too.

    `out` receives `model.safetensors`, `checkpoint.pt` and `curves.csv`, at least every ten
    minutes. A file appears only when it is whole, so the run can be killed at any moment.

    Args:
        config: shape of the network.
        settings: see `FusionTraining`.
        samples: the samples to learn from.
        out: folder of the run.
        resume: go on from the checkpoint in `out`.
        start_from: the weights to begin with.
        progress: called every fifty steps.

    Raises:
        TrainingError: there are no samples or no such checkpoint, or a loss is no longer a number
            (then the last checkpoint stays).
    """
    if not samples:
        raise TrainingError("there are no samples to learn from")
    run = _Run(config, settings, samples, out, start_from)
    if resume:
        run.load()
    run.train(progress)
    return run.average


class _Run(ResumableRun):
    def __init__(
        self,
        config: FusionConfig,
        settings: FusionTraining,
        samples: Sequence[Samples],
        out: Path,
        start_from: Fusion | None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.network = start_from or Fusion(config)
        super().__init__(out, self.network.config.to_dict(), settings.steps, settings.minutes)
        self.settings, self.samples = settings, samples
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.objective = FusionObjective(settings.losses)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99)
        )

    def begin(self, step: int) -> None:
        seed = self.settings.seed + 104_729 * step  # another order after each resume
        self.source: Iterator[Batch] = batches(self.samples, self.settings.batch, seed)

    def one_step(self) -> dict[str, float]:
        s = self.settings
        rate = rate_at(self.step, self.done, highest=s.learning_rate, warmup=s.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=s.half):
            terms = self.objective(self.network, next(self.source))
        values = self.descend(self.optimiser, terms, clip=1.0)
        follow(self.average.parameters(), self.network.parameters(), self.step, s.ema)
        return values

    def parts(self) -> dict[str, Any]:
        return {"model": self.network, "average": self.average, "optimiser": self.optimiser}

    def publish(self) -> None:
        save_fusion(self.average, self.out)
