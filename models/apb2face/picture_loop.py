"""`PictureLoop`: a run of a reenactor against a PatchGAN, which both papers have.

A step depends on nothing but the seed, its number and what the checkpoint holds. So a run that was
stopped and resumed on the same machine gives the same weights as one that was not.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.errors import ConfigError
from ..avfr.discriminator import Discriminator
from ..avfr.losses import discriminator_loss, generator_adversarial_loss
from ..training.resumable import ResumableRun
from ..training.schedule import follow

__all__ = ["Batch", "PictureLoop", "PictureTraining"]

Batch = dict[str, Tensor]
_LEVELS = 4  # of the PatchGAN: each score sees 78 x 78 pixels


@dataclass(frozen=True)
class PictureTraining:
    """How a reenactor is trained; learning rate and batch are those of both papers.

    Attributes:
        steps: of the whole run.
        minutes: if above 0, the run ends after so many, whichever comes first.
        learning_rate: of Adam, with betas 0.5 and 0.999.
        batch: pictures of a step.
        evaluate_every: steps between measurements of the held-out pictures.
        ema: decay of the averaged weights; these are the ones that are saved for use.
        seed: of weights and batches.
        judge: channels of the PatchGAN's first layer.
        half: compute the networks in bfloat16 where that is accurate enough (autocast). The weights
            stay in float32.
    """

    steps: int = 10_000
    minutes: float = 0.0
    learning_rate: float = 2e-4
    batch: int = 16
    evaluate_every: int = 500
    ema: float = 0.999
    seed: int = 0
    judge: int = 64
    half: bool = False

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.evaluate_every, self.judge) < 1:
            raise ConfigError("steps, batch, evaluate_every and judge must be at least 1")
        if not 0 < self.learning_rate < 1 or not 0 <= self.ema < 1:
            raise ConfigError("learning_rate must be in (0, 1) and ema in [0, 1)")


class PictureLoop(ResumableRun):
    """A run.

    Args:
        settings: see there.
        config: of the network; a checkpoint of another one is refused.
        network: what is trained.
        condition: channels that the discriminator sees beside the picture.
        adversarial: weight of the discriminator's verdict; with 0 there is none.
        out: folder of the run.
    """

    def __init__(
        self,
        settings: PictureTraining,
        config: dict[str, Any],
        network: nn.Module,
        condition: int,
        adversarial: float,
        out: Path,
    ) -> None:
        super().__init__(out, config, settings.steps, settings.minutes, settings.evaluate_every)
        self.settings, self.adversarial = settings, adversarial
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device)
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self.optimiser = self._adam(self.network)
        self.judge: Discriminator | None = None
        if adversarial > 0:
            self.judge = Discriminator(condition, base=settings.judge, levels=_LEVELS, scales=1)
            self.judge.to(self.device)
            self.judge_optimiser = self._adam(self.judge)

    def _adam(self, network: nn.Module) -> torch.optim.Adam:
        rate = self.settings.learning_rate
        return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.5, 0.999))

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Batch:
        """Draw a batch; `picture` holds the true pictures, `[B, 3, S, S]` on [0, 1]."""

    @abstractmethod
    def make(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The network's pictures and its weighted losses without the adversarial one."""

    def seen(self, batch: Batch, picture: Tensor) -> Tensor:
        """What the discriminator is shown of a picture."""
        return picture

    def begin(self, step: int) -> None:
        """See `ResumableRun.begin`."""
        self.network.train()

    def one_step(self) -> dict[str, float]:
        """See `ResumableRun.one_step`: the discriminator learns first, then the network."""
        rng = np.random.default_rng((self.settings.seed, self.step))
        batch = {name: value.to(self.device) for name, value in self.draw(rng).items()}
        with self._precision():
            made, terms = self.make(batch)
        losses: dict[str, float] = {}
        if self.judge is not None:
            self.judge.requires_grad_(True)
            with self._precision():
                real, _ = self.judge(self.seen(batch, batch["picture"]))
                fake, _ = self.judge(self.seen(batch, made.detach()))
                told = discriminator_loss(real, fake)
            losses = self.descend(self.judge_optimiser, {"discriminator": told})
            self.judge.requires_grad_(False)
            with self._precision():
                scores, _ = self.judge(self.seen(batch, made))
                terms["adversarial"] = self.adversarial * generator_adversarial_loss(scores)
        losses = self.descend(self.optimiser, terms) | losses
        follow(self.average.parameters(), self.network.parameters(), self.step, self.settings.ema)
        return losses

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.half)

    def parts(self) -> dict[str, Any]:
        """See `ResumableRun.parts`."""
        found: dict[str, Any] = {
            "model": self.network,
            "average": self.average,
            "optimiser": self.optimiser,
        }
        if self.judge is not None:
            found |= {"judge": self.judge, "judge_optimiser": self.judge_optimiser}
        return found
