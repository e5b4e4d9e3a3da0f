"""`fit`: the training loop, on a CPU, a GPU or many (Lightning Fabric)."""

from __future__ import annotations

import copy
import csv
import json
import logging
import pickle
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import DataLoader

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_file, whole_path
from ..avfr.config import AvfrConfig
from ..avfr.model import Avfr
from ..cores import has_bf16
from ..face.table import FaceTable
from .cache import CachedClip
from .config import Progress, TrainConfig
from .data import Pairs, collate
from .evaluate import evaluate
from .picture import contact_sheet
from .schedule import follow, rate_at
from .step import Objective

__all__ = ["fit", "split_by_person"]

_log = logging.getLogger(__name__)
_LOG_EVERY = 50  # steps between two lines of losses


def fit(
    network: AvfrConfig,
    settings: TrainConfig,
    train: list[CachedClip],
    held_out: list[CachedClip],
    out: Path,
    *,
    face: FaceTable,
    resume: Path | None = None,
    start_from: Avfr | None = None,
    teacher: Avfr | None = None,
    progress: Progress | None = None,
) -> Avfr:
    """Train a network; returns the averaged one, which `out` holds too.

    `out` receives `model.safetensors`, `checkpoint.pt` (to resume from), `curves.csv` and
    `pictures/`. On Ctrl-C and SIGTERM the run is saved before the exception goes on. It can be
    killed at any moment: what was saved last stays whole.

    Args:
        network: shape of the network.
        settings: see `TrainConfig`.
        train: clips to learn from.
        held_out: clips to measure on; they may be none.
        out: folder of the run. Without `resume`, curves of an earlier run in it are replaced.
        face: table that the network keeps with its weights.
        resume: checkpoint to go on from.
        start_from: weights to begin with.
        teacher: network to imitate, as far as `settings.losses.distillation` says.
        progress: see `Progress`.

    Raises:
        TrainingError: unusable data, a checkpoint of another configuration, or a loss that is
            no longer a number (the last good checkpoint stays).
    """
    run = _Run(network, settings, train, held_out, out, face, start_from, teacher)
    if resume is not None:
        run.load(resume)
    return run.train(progress)


class _Run:
    def __init__(
        self,
        network: AvfrConfig,
        settings: TrainConfig,
        train: list[CachedClip],
        held_out: list[CachedClip],
        out: Path,
        face: FaceTable,
        start_from: Avfr | None,
        teacher: Avfr | None,
    ) -> None:
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.settings, self.held_out, self.out = settings, held_out, out
        # Mixed precision is set in `mixed`: Fabric would round the landmarks to bf16 too.
        self.fabric = Fabric(
            accelerator=settings.accelerator, devices=settings.devices, strategy=settings.strategy
        )
        self.fabric.launch()
        kind = self.fabric.device.type
        able = has_bf16(kind)
        self.half = settings.precision == "bf16" or (settings.precision == "auto" and able)
        if self.half and kind == "cpu" and not able:
            _log.warning(
                "this processor has no instructions for bf16: --precision 32 would be much faster"
            )
        if teacher is not None and teacher.config.size != network.size:
            raise TrainingError(
                f"the teacher makes pictures of {teacher.config.size} pixels, the network of "
                f"{network.size}: a teacher must have the size of the network"
            )
        torch.manual_seed(settings.seed)
        model = start_from or Avfr(network, face)
        model.face = face
        self.average = copy.deepcopy(model).eval().requires_grad_(False)
        adversarial = settings.losses.adversarial > 0
        objective = Objective(
            settings.losses,
            settings.perceptual_net,
            adversarial,
            teacher,
            network.gaze,
            settings.likeness_net,
        )
        self.objective = objective.to(self.fabric.device)
        self.average.to(self.fabric.device)
        optimiser = torch.optim.Adam(
            model.parameters(), lr=settings.learning_rate, betas=(0.5, 0.99)
        )
        self.plain = model
        self.model, self.optimiser = self.fabric.setup(model, optimiser)
        self.judge: torch.optim.Optimizer | None = None
        if self.objective.discriminator is not None:
            self.judge = torch.optim.Adam(
                self.objective.discriminator.parameters(),
                lr=settings.learning_rate,
                betas=(0.5, 0.99),
            )
        self.step = 0
        # Of the whole run, what came before a `resume` included.
        self.seconds, self.core_seconds = 0.0, 0.0
        self.saved = 0.0  # `seconds` when it was saved last
        self.train_clips = train

    def batches(self) -> Iterator[dict[str, Tensor]]:
        s = self.settings
        pairs = Pairs(
            self.train_clips,
            self.plain.face,
            drivings=s.drivings,
            size=s.size,
            augmentation=s.augmentation,
            person_cap_s=s.person_cap_s,
            person_least_s=s.person_least_s,
            seed=s.seed + 7919 * self.fabric.global_rank + 104_729 * self.step,
            gaze=self.plain.config.gaze,
            structural=any(n and n.detector for n in (self.plain, self.objective.teacher)),
        )
        loader = DataLoader(
            pairs,
            batch_size=s.batch,
            collate_fn=collate,
            num_workers=s.workers,
            persistent_workers=s.workers > 0,
        )
        for batch in loader:
            moved = {k: v.to(self.fabric.device, non_blocking=True) for k, v in batch.items()}
            for name in ("picture", "source_picture"):
                moved[name] = moved[name].float() / 255
            yield moved

    def mixed(self) -> torch.autocast:
        return torch.autocast(self.fabric.device.type, torch.bfloat16, enabled=self.half)

    def rate(self) -> float:
        s = self.settings
        return rate_at(
            self.step, self.share(), highest=s.learning_rate, warmup=s.warmup, lowest=0.05
        )

    def share(self) -> float:
        """How much of the run is done, on [0, 1]."""
        s = self.settings
        late = self.seconds / (60 * s.minutes) if s.minutes else 0.0
        return min(1.0, max(self.step / s.steps, late))

    def train(self, progress: Progress | None) -> Avfr:
        s = self.settings
        started = time.monotonic() - self.seconds
        core_started = time.process_time() - self.core_seconds
        self.out.mkdir(parents=True, exist_ok=True)
        about = {"network": self.plain.config.to_dict(), "training": asdict(s)}
        with whole_file(self.out / "settings.json", overwrite=True) as file:
            file.write(json.dumps(about, indent=1).encode())
        if self.step == 0 and self.fabric.is_global_zero:
            self.curves.unlink(missing_ok=True)
        source = self.batches()
        over = self.share() >= 1
        try:
            while not over:
                terms = self.one_step(next(source))
                self.step += 1
                self.core_seconds = time.process_time() - core_started
                self.seconds = time.monotonic() - started
                if s.minutes:  # one clock for all devices: their rates must be the same
                    self.seconds = self.fabric.broadcast(self.seconds)
                over = self.share() >= 1
                if self.fabric.is_global_zero:
                    if progress is not None:
                        losses = ", ".join(f"{name} {v:.3f}" for name, v in terms.items())
                        progress(self.step, s.steps, losses)
                    self.after_step(terms, last=over)
        except (KeyboardInterrupt, SystemExit):  # `clean_stop` makes the latter of SIGTERM
            self.save()
            raise
        self.save()
        return self.average

    def one_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        s = self.settings
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        adversarial = self.judge is not None and self.step >= s.adversarial_from
        with self.mixed():
            terms, result = self.objective.losses(self.model, batch, adversarial)
        total = torch.stack(list(terms.values())).sum()
        self.must_be_finite("loss", total)
        self.optimiser.zero_grad(set_to_none=True)
        self.fabric.backward(total)
        norm = torch.nn.utils.clip_grad_norm_(self.plain.parameters(), 1.0)
        self.must_be_finite("gradient", norm)
        self.optimiser.step()
        values = {name: float(term.detach()) for name, term in terms.items()}
        if adversarial and self.judge is not None:
            with self.mixed():
                loss = self.objective.discriminate(batch, result["image"], result["target"])
            self.judge.zero_grad(set_to_none=True)
            self.fabric.backward(loss)
            self.share_gradients()
            self.judge.step()
            values["discriminator"] = float(loss.detach())
        follow(self.average.parameters(), self.plain.parameters(), self.step, s.ema)
        return values

    def must_be_finite(self, what: str, value: Tensor) -> None:
        """Raise `TrainingError` before a value that is no number reaches the weights."""
        if not torch.isfinite(value):
            raise TrainingError(
                f"the {what} is no longer a number at step {self.step}; the last good checkpoint "
                f"is {self.out / 'checkpoint.pt'}: resume from it with a lower --learning-rate"
            )

    def share_gradients(self) -> None:
        """Average the discriminator's gradients over the devices; DDP does the generator's."""
        if self.fabric.world_size > 1 and self.objective.discriminator is not None:
            for parameter in self.objective.discriminator.parameters():
                if parameter.grad is not None:
                    mean = self.fabric.all_reduce(parameter.grad, reduce_op="mean")
                    parameter.grad = mean if isinstance(mean, Tensor) else parameter.grad

    def after_step(self, terms: dict[str, float], *, last: bool) -> None:
        """Measure, draw and save when it is time, and after the last step in any case."""
        s = self.settings
        figures: dict[str, float] = {}
        if self.held_out and (last or self.step % s.evaluate_every == 0):
            figures = evaluate(self.average, self.held_out)
        if figures or last or self.step % _LOG_EVERY == 0:
            hours = self.core_seconds / 3600
            self.log({"core_hours": hours, "rate": self.rate(), **terms, **figures})
        if last or self.step % s.picture_every == 0:
            folder = self.out / "pictures"
            folder.mkdir(exist_ok=True)
            sheet = contact_sheet(self.average, self.held_out or self.train_clips)
            with whole_path(folder / f"{self.step:07d}.jpg", overwrite=True) as draft:
                sheet.save(draft)
        due = self.seconds - self.saved >= 60 * s.checkpoint_minutes
        if not last and (due or self.step % s.checkpoint_every == 0):
            self.save()

    @property
    def curves(self) -> Path:
        """The table of what was measured: a line each with step, name and value."""
        return self.out / "curves.csv"

    def log(self, row: dict[str, float]) -> None:
        """Add what was measured at this step to the table of curves."""
        fresh = not self.curves.exists()
        with self.curves.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(["step", "name", "value"])
            writer.writerows([self.step, name, f"{value:.6g}"] for name, value in row.items())

    def save(self) -> None:
        if not self.fabric.is_global_zero:
            return
        state = {
            "network": self.plain.config.to_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "core_seconds": self.core_seconds,
            "face": {
                name: torch.from_numpy(np.array(getattr(self.plain.face, name)))
                for name in FaceTable.NAMES
            },
            "model": self.plain.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "discriminator": self.objective.discriminator.state_dict()
            if self.objective.discriminator is not None
            else None,
            "judge": self.judge.state_dict() if self.judge is not None else None,
        }
        try:
            with whole_path(self.out / "checkpoint.pt", overwrite=True) as draft:
                torch.save(state, draft)
            self.average.save_pretrained(self.out)
            self.saved = self.seconds
        except (OSError, RuntimeError, SafetensorError) as error:  # torch wraps a full disk
            raise TrainingError(
                f"step {self.step} could not be saved in {self.out} ({error}): make room there, "
                "then go on with --resume from the checkpoint before"
            ) from error

    def load(self, path: Path) -> None:
        try:
            state = torch.load(path, map_location=self.fabric.device, weights_only=True)
            found = AvfrConfig.from_dict(state["network"])
        except (OSError, KeyError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
            raise TrainingError(
                f"{path} is not a checkpoint that can be resumed ({type(error).__name__})"
            ) from error
        if found != self.plain.config:
            raise TrainingError(
                f"{path} was trained as another network ({found.name}, {found.channels}): "
                "resume with the settings it was made with"
            )
        self.plain.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.judge is not None and state["judge"] is not None:
            self.judge.load_state_dict(state["judge"])
            if self.objective.discriminator is not None:
                self.objective.discriminator.load_state_dict(state["discriminator"])
        # The run keeps its table: with another one, the same numbers would mean other landmarks.
        face = FaceTable(*(state["face"][name].numpy() for name in FaceTable.NAMES))
        self.plain.face = self.average.face = face
        self.step = int(state["step"])
        # Older checkpoints do not know them.
        self.seconds = self.saved = float(state.get("seconds", 0.0))
        self.core_seconds = float(state.get("core_seconds", 0.0))


def split_by_person(
    clips: Sequence[CachedClip], held_out: int, seed: int = 0
) -> tuple[list[CachedClip], list[CachedClip]]:
    """Hold out all clips of some people: returns the clips to train on, and those held out."""
    people = sorted({clip.identity for clip in clips})
    if len(people) < 2:
        raise TrainingError(
            "all clips show one person, so quality on others cannot be measured: give clips of "
            "more people, or --held-out"
        )
    order = torch.randperm(len(people), generator=torch.Generator().manual_seed(seed)).tolist()
    away = {people[i] for i in order[: min(held_out, len(people) // 2)]}
    kept = [clip for clip in clips if clip.identity not in away]
    return kept, [clip for clip in clips if clip.identity in away]
