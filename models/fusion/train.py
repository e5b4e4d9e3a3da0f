"""`train_fusion`: trains the fusion network. It can be stopped at any moment, and continued."""

from __future__ import annotations

import copy
import csv
import math
import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_path
from ..training.config import Progress
from .batches import Batch, BatchSettings, batches
from .network import Fusion, FusionConfig
from .objective import FusionLosses, FusionObjective
from .samples import Samples
from .store import save_fusion

__all__ = ["FusionTraining", "train_fusion"]

_LOG_EVERY, _CHECKPOINT_S = 100, 600.0


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
    """

    steps: int = 20_000
    minutes: float = 0.0
    learning_rate: float = 1e-3
    warmup: int = 50
    ema: float = 0.998
    seed: int = 0
    batch: BatchSettings = field(default_factory=BatchSettings)
    losses: FusionLosses = field(default_factory=FusionLosses)


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
        progress: is called every hundred steps.

    Raises:
        TrainingError: there are no samples or no such checkpoint, or a loss is no longer a number
            (then the last checkpoint stays).
    """
    if not samples:
        raise TrainingError("there are no samples to learn from")
    run = _Run(config, settings, samples, out, start_from)
    if resume:
        run.load()
    return run.train(progress)


class _Run:
    def __init__(
        self,
        config: FusionConfig,
        settings: FusionTraining,
        samples: Sequence[Samples],
        out: Path,
        start_from: Fusion | None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.samples, self.out = settings, samples, out
        self.network = start_from or Fusion(config)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.objective = FusionObjective(settings.losses)
        self.optimiser = torch.optim.Adam(
            self.network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99)
        )
        self.step, self.seconds, self.saved = 0, 0.0, 0.0

    @property
    def checkpoint(self) -> Path:
        return self.out / "checkpoint.pt"

    def share(self) -> float:
        s = self.settings
        late = self.seconds / (60 * s.minutes) if s.minutes else 0.0
        return min(1.0, max(self.step / s.steps, late))

    def rate(self) -> float:
        warm = min(1.0, (self.step + 1) / max(1, self.settings.warmup))
        fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.share()))
        return self.settings.learning_rate * warm * fall

    def source(self) -> Iterator[Batch]:
        seed = self.settings.seed + 104_729 * self.step  # another order after each resume
        return batches(self.samples, self.settings.batch, seed)

    def train(self, progress: Progress | None) -> Fusion:
        self.out.mkdir(parents=True, exist_ok=True)
        if self.step == 0:
            self.curves.unlink(missing_ok=True)
        source, started = self.source(), time.monotonic() - self.seconds
        sums: dict[str, float] = {}
        try:
            while self.share() < 1:
                for name, value in self.one_step(next(source)).items():
                    sums[name] = sums.get(name, 0.0) + value / _LOG_EVERY
                self.step += 1
                self.seconds = time.monotonic() - started
                if self.step % _LOG_EVERY == 0:
                    self.log(sums)
                    if progress is not None:
                        losses = ", ".join(f"{name} {v:.4f}" for name, v in sums.items())
                        progress(self.step, self.settings.steps, losses)
                    sums = {}
                if self.seconds - self.saved >= _CHECKPOINT_S:
                    self.save()
        finally:
            if math.isfinite(sum(sums.values())):
                self.save()
        return self.average

    def one_step(self, batch: Batch) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        terms = self.objective(self.network, batch)
        values = {name: float(term.detach()) for name, term in terms.items()}
        if not math.isfinite(sum(values.values())):
            raise TrainingError(
                f"the loss is no longer a number at step {self.step}: resume from "
                f"{self.checkpoint} with a lower learning rate"
            )
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
            for mean, now in pairs:
                mean.lerp_(now, 1 - decay)
        return values

    @property
    def curves(self) -> Path:
        return self.out / "curves.csv"

    def log(self, losses: dict[str, float]) -> None:
        fresh = not self.curves.exists()
        with self.curves.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "seconds", "rate", *losses])
            numbers = (self.seconds, self.rate(), *losses.values())
            writer.writerow([self.step, *(f"{value:.6g}" for value in numbers)])

    def save(self) -> None:
        state = {
            "network": self.network.config.to_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "model": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        with whole_path(self.checkpoint, overwrite=True) as draft:
            torch.save(state, draft)
        save_fusion(self.average, self.out)
        self.saved = self.seconds

    def load(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            same = state["network"] == self.network.config.to_dict()
        except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"{self.checkpoint} cannot be resumed ({type(error).__name__})"
            ) from error
        if not same:
            raise TrainingError(f"{self.checkpoint} was trained as a network of another shape")
        self.network.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.saved = self.seconds
