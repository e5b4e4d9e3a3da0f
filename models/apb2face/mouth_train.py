"""`train_mouth`: trains `MouthNet`; it can be stopped at any moment and go on."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...codec.errors import TrainingError
from ..training.config import Progress
from ..training.resumable import ResumableRun
from ..training.schedule import follow, rate_at
from .mouth import MouthConfig, MouthNet
from .mouth_batches import MouthBatch, MouthBatchSettings, mouth_batches
from .mouth_evaluate import opening_correlations
from .mouth_objective import MouthLosses, mouth_losses
from .people import MouthTables, fit_tables, samples_of
from .sound import LOOKAHEADS
from .store import save_mouth
from .talks import Talk

__all__ = ["MouthTraining", "train_mouth"]


@dataclass(frozen=True)
class MouthTraining:
    """How the network is trained.

    Attributes:
        steps: of the whole run. The learning rate falls along a cosine until then.
        minutes: if above 0, the run ends after so many, whichever comes first; time between a stop
            and `resume` does not count.
        learning_rate: highest rate of AdamW.
        weight_decay: of AdamW.
        warmup: steps until the highest rate.
        ema: how much of the averaged weights a step leaves as they are.
        evaluate_every: steps between measurements of the held-out people; the best of the averaged
            weights are kept.
        seed: of weights and batches.
        batch, losses: see there.
    """

    steps: int = 3000
    minutes: float = 0.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 50
    ema: float = 0.995
    evaluate_every: int = 250
    seed: int = 0
    batch: MouthBatchSettings = field(default_factory=MouthBatchSettings)
    losses: MouthLosses = field(default_factory=MouthLosses)


def train_mouth(
    config: MouthConfig,
    settings: MouthTraining,
    talks: Sequence[Talk],
    held_out: Sequence[Talk],
    out: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> MouthNet:
    """Train a network; returns the one that was best on held-out people, which `out` holds too.

    `out` receives `model.safetensors`, `checkpoint.pt`, and `curves.csv`, at least every ten
    minutes. A file appears only when it is whole, so the run can be killed at any moment.

    Args:
        config: shape of the network.
        settings: see there.
        talks: to learn from.
        held_out: talks of other people, on which the best of the averaged weights are chosen.
            Without any, the last are taken.
        out: folder of the run.
        resume: go on from the checkpoint in `out`.
        progress: called every fifty steps.

    Raises:
        TrainingError: no talks, no such checkpoint, or a loss that is no longer a number (the last
            checkpoint stays).
    """
    if not talks:
        raise TrainingError("there are no talks to learn from")
    run = _Run(config, settings, talks, held_out, out)
    if resume:
        run.load()
    run.train(progress)
    return run.best


class _Run(ResumableRun):
    def __init__(
        self,
        config: MouthConfig,
        settings: MouthTraining,
        talks: Sequence[Talk],
        held_out: Sequence[Talk],
        out: Path,
    ) -> None:
        super().__init__(
            out, config.to_dict(), settings.steps, settings.minutes, settings.evaluate_every
        )
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.samples, self.held_out = samples_of(talks), samples_of(held_out)
        self.tables = fit_tables(talks, self.samples, config.components)
        self.network = MouthNet(config)
        _fill(self.network, self.tables)
        self.share = torch.from_numpy(self.tables.share)
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.best = copy.deepcopy(self.average)
        self.score = _Score()
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), betas=(0.9, 0.98), weight_decay=settings.weight_decay
        )

    def rate(self) -> float:
        s = self.settings
        return rate_at(self.step, self.done, highest=s.learning_rate, warmup=s.warmup)

    def begin(self, step: int) -> None:
        seed = self.settings.seed + 104_729 * step  # another order after each resume
        self.source: Iterator[MouthBatch] = mouth_batches(
            self.samples, self.tables, self.settings.batch, seed
        )

    def one_step(self) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        self.network.train()
        terms = mouth_losses(self.network, next(self.source), self.share, self.settings.losses)
        values = self.descend(self.optimiser, terms, clip=1.0)
        weights = self.average.parameters(), self.network.parameters()
        follow(*weights, self.step, self.settings.ema)
        return values

    def evaluate(self) -> dict[str, float]:
        """Keep the averaged weights if they are the best so far on the held-out people."""
        found = opening_correlations(self.average, self.held_out) if self.held_out else {}
        rows = np.array(list(found.values())) if found else np.zeros((1, len(LOOKAHEADS)))
        if rows.mean() >= self.score.value or not found:
            self.score.value = float(rows.mean())
            self.best.load_state_dict(self.average.state_dict())
        columns = dict(zip((f"ahead_{ms}" for ms in LOOKAHEADS), rows.mean(0), strict=True))
        return {"people": len(found), **columns}

    def parts(self) -> dict[str, Any]:
        return {
            "model": self.network,
            "average": self.average,
            "best": self.best,
            "score": self.score,
            "optimiser": self.optimiser,
        }

    def publish(self) -> None:
        save_mouth(self.average if self.score.value == -math.inf else self.best, self.out)


class _Score:
    """The best mean correlation so far, as a part of the checkpoint."""

    def __init__(self) -> None:
        self.value = -math.inf

    def state_dict(self) -> dict[str, float]:
        return {"value": self.value}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.value = float(state["value"])


def _fill(network: MouthNet, tables: MouthTables) -> None:
    for name in ("basis", "level", "neutral_mean", "neutral_map"):
        buffer: torch.Tensor = getattr(network, name)
        buffer.copy_(torch.from_numpy(getattr(tables, name)))
