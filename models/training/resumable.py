"""`ResumableRun`: what trainings of smaller networks share: the clock, the steps, lasting files.

A run can be stopped at any moment and go on. It is saved every ten minutes and when it ends; a file
appears only when it is whole.
"""

from __future__ import annotations

import csv
import math
import pickle
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_path
from .config import Progress

__all__ = ["ResumableRun"]

_LOG_EVERY, _CHECKPOINT_S = 50, 600.0


class ResumableRun(ABC):
    """A run.

    Args:
        out: folder of the run; it receives `checkpoint.pt`, `curves.csv` and `held-out.csv`.
        network: the network's configuration; a checkpoint of another one is refused.
        steps: of the whole run.
        minutes: if above 0, the run ends after so many, whichever comes first.
        evaluate_every: steps between two calls of `evaluate`; 0 for none.
    """

    def __init__(
        self,
        out: Path,
        network: Mapping[str, Any],
        steps: int,
        minutes: float,
        evaluate_every: int = 0,
    ) -> None:
        self.out = out
        self._network, self._steps, self._minutes = dict(network), steps, minutes
        self._evaluate_every = evaluate_every
        self.step, self.seconds, self._saved = 0, 0.0, 0.0

    @abstractmethod
    def begin(self, step: int) -> None:
        """Called once before the first step, with its number: open the source of batches."""

    @abstractmethod
    def one_step(self) -> dict[str, float]:
        """Learn from one batch, by `descend`; returns the losses by name."""

    def evaluate(self) -> dict[str, float]:
        """Measure what is held out; returns figures by name, which go to `held-out.csv`."""
        return {}

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds: objects with `state_dict` and `load_state_dict`."""

    @abstractmethod
    def publish(self) -> None:
        """Write the weights for use."""

    @property
    def done(self) -> float:
        """How much of the run is over, from 0 to 1."""
        late = self.seconds / (60 * self._minutes) if self._minutes else 0.0
        return min(1.0, max(self.step / self._steps, late))

    def train(self, progress: Progress | None) -> None:
        """Run to the end; `progress` is called every fifty steps."""
        self.out.mkdir(parents=True, exist_ok=True)
        if self.step == 0:
            for name in ("curves.csv", "held-out.csv"):
                (self.out / name).unlink(missing_ok=True)
        self.begin(self.step)
        started = time.monotonic() - self.seconds
        sums: dict[str, float] = {}
        try:
            while self.done < 1:
                for name, value in self.one_step().items():
                    sums[name] = sums.get(name, 0.0) + value / _LOG_EVERY
                self.step += 1
                self.seconds = time.monotonic() - started
                every = self._evaluate_every
                if every and (self.step % every == 0 or self.done >= 1):
                    self._write("held-out.csv", self.evaluate())
                if self.step % _LOG_EVERY == 0:
                    self._write("curves.csv", sums)
                    if progress is not None:
                        losses = ", ".join(f"{name} {v:.4f}" for name, v in sums.items())
                        progress(self.step, self._steps, losses)
                    sums = {}
                if self.seconds - self._saved >= _CHECKPOINT_S:
                    self.save()
        finally:
            self.save()

    def descend(
        self, optimiser: torch.optim.Optimizer, terms: Mapping[str, Tensor], clip: float = math.inf
    ) -> dict[str, float]:
        """Take a step of an optimiser down the sum of some losses.

        Args:
            optimiser: whose weights move.
            terms: the weighted losses by name.
            clip: length to which a longer gradient is cut.

        Returns:
            The losses by name, as numbers.

        Raises:
            TrainingError: a loss or the gradient is no longer a number. Then no weight has moved.
        """
        values = {name: float(term.detach()) for name, term in terms.items()}
        self._must_be_finite("loss", sum(values.values()))
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        learned = [weight for group in optimiser.param_groups for weight in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(learned, clip)
        self._must_be_finite("gradient", float(norm))
        optimiser.step()
        return values

    def _must_be_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"the {what} is no longer a number at step {self.step}: resume from "
                f"{self.checkpoint} with a lower learning rate"
            )

    @property
    def checkpoint(self) -> Path:
        """Path of the checkpoint."""
        return self.out / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint and the weights."""
        state = {"network": self._network, "step": self.step, "seconds": self.seconds}
        state |= {name: part.state_dict() for name, part in self.parts().items()}
        with whole_path(self.checkpoint, overwrite=True) as draft:
            torch.save(state, draft)
        self.publish()
        self._saved = self.seconds

    def load(self) -> None:
        """Go on from the checkpoint. Raises `TrainingError` if it is not there or another's."""
        try:
            state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            same = state["network"] == self._network
        except (OSError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"{self.checkpoint} cannot be resumed ({type(error).__name__})"
            ) from error
        if not same:
            raise TrainingError(f"{self.checkpoint} was trained as a network of another shape")
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self._saved = self.seconds

    def _write(self, name: str, values: Mapping[str, float]) -> None:
        path = self.out / name
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "seconds", *values])
            numbers: Sequence[float] = (self.seconds, *values.values())
            writer.writerow([self.step, *(f"{value:.6g}" for value in numbers)])
