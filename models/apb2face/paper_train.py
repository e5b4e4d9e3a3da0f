"""`train_paper`: trains the paper's predictor, with or without its discriminator (section 5)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor

from ...codec.errors import TrainingError
from ...codec.whole_file import whole_path
from ..mel import HOP
from ..training.config import Progress
from ..weights.store import WEIGHTS_FILE
from .features import HeadAngles, mfcc, mfcc_window
from .landmarks import blinks, select_106
from .loop import Loop
from .mouth import NAME
from .network import GeometryPredictor, LandmarkDiscriminator
from .objective import GeometryLosses, discriminator_loss, landmark_error_px, predictor_losses
from .talks import FPS, Talk

__all__ = ["PaperFrames", "PaperTraining", "paper_frames", "split_by_time", "train_paper"]

Array = npt.NDArray[np.float32]

_TOGETHER = 256


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


@dataclass(frozen=True)
class PaperFrames:
    """Frames of talks, as the predictor takes them.

    Attributes:
        sound: MFCC steps of each talk, float32 `[n, 60]`.
        clip: int64 `[N]`, the talk of each frame.
        at: int64 `[N]`, number of the frame in its talk.
        pose: float32 `[N, 3]`, yaw, pitch and roll in radians.
        blink: float32 `[N, 2]`.
        landmarks: float32 `[N, 106, 2]` on [-1, 1].
    """

    sound: list[Array]
    clip: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    pose: Array
    blink: Array
    landmarks: Array

    def batch(self, rows: npt.NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Inputs and landmarks of some frames: see `GeometryPredictor.forward`."""
        windows = [
            mfcc_window(self.sound[self.clip[row]], round(self.at[row] / FPS * 100) * HOP)
            for row in rows
        ]
        values = (np.stack(windows)[:, None], self.pose[rows], self.blink[rows])
        sound, pose, blink = (torch.from_numpy(value) for value in values)
        return sound, pose, blink, torch.from_numpy(self.landmarks[rows])


def paper_frames(talks: Sequence[Talk], angles: HeadAngles) -> PaperFrames:
    """All frames of some talks. Raises `TrainingError` if there are none."""
    if not talks:
        raise TrainingError("there are no talks to learn from")
    lengths = [len(talk.landmarks) for talk in talks]
    marks = np.concatenate([talk.landmarks for talk in talks])
    return PaperFrames(
        sound=[mfcc(talk.mel) for talk in talks],
        clip=np.repeat(np.arange(len(talks)), lengths),
        at=np.concatenate([np.arange(length) for length in lengths]),
        pose=angles.angles(marks),
        blink=blinks(marks),
        landmarks=select_106(marks),
    )


def split_by_time(talks: Sequence[Talk], part: float = 0.2) -> tuple[list[Talk], list[Talk]]:
    """Each person's last clips, about `part` of that person's frames, apart from the others.

    A person with one clip gives the end of it.
    """
    of: dict[str, list[Talk]] = defaultdict(list)
    for talk in talks:
        of[talk.identity].append(talk)
    first: list[Talk] = []
    last: list[Talk] = []
    for own in of.values():
        total = sum(len(talk.landmarks) for talk in own)
        before = 0
        for talk in own:
            border = round((1 - part) * total) - before
            before += len(talk.landmarks)
            if len(own) > 1:
                (first if border > len(talk.landmarks) / 2 else last).append(talk)
            else:
                steps = border * 4
                first.append(Talk(talk.name, talk.identity, talk.landmarks[:border], talk.mel))
                rest = talk.landmarks[border:]
                last.append(Talk(talk.name, talk.identity, rest, talk.mel[steps:]))
    return first, last


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

    `out` receives the files of `Loop` and `model.safetensors`, in FP16. `held-out.csv` gives the
    error of the held-out frames: all landmarks and those of the mouth, in pixels at 256x256.

    Raises:
        TrainingError: no such checkpoint, or a loss that is no longer a number.
    """
    run = _Run(settings, frames, held_out, out)
    if resume:
        run.load()
    run.train(progress)
    return run.network.eval()


class _Run(Loop):
    def __init__(
        self, settings: PaperTraining, frames: PaperFrames, held_out: PaperFrames, out: Path
    ) -> None:
        self.config = {"name": NAME, "variant": "paper"}
        super().__init__(
            out, self.config, settings.steps, settings.minutes, settings.evaluate_every
        )
        torch.manual_seed(settings.seed)
        self.settings, self.frames, self.held_out = settings, frames, held_out
        self.network = GeometryPredictor()
        # It begins at the mean face, so that the steps go into what differs from it.
        with torch.no_grad():
            mean = torch.from_numpy(frames.landmarks.mean(0)).flatten()
            cast(torch.nn.Linear, self.network.geometry[-1]).bias.copy_(mean)
        self.optimiser = self._adam(self.network)
        self.judge: LandmarkDiscriminator | None = None
        if settings.losses.adversarial > 0:
            self.judge = LandmarkDiscriminator()
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
        losses: dict[str, Tensor] = {}
        if self.judge is not None:
            losses["discriminator"] = discriminator_loss(self.judge, made, true)
            self.judge_optimiser.zero_grad(set_to_none=True)
            losses["discriminator"].backward()  # type: ignore[no-untyped-call]
            self.judge_optimiser.step()
        terms = predictor_losses(made, true, self.settings.losses, self.judge)
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return {name: float(term.detach()) for name, term in {**terms, **losses}.items()}

    def evaluate(self) -> dict[str, float]:
        made, true = self.predicted(self.held_out)
        mouth = slice(-20, None)  # the last part of the table
        return {
            "landmarks_px": float(landmark_error_px(made, true)),
            "mouth_px": float(landmark_error_px(made[:, mouth], true[:, mouth])),
            "l1_px": float((made - true).abs().mean()) * 128,
        }

    def predicted(self, frames: PaperFrames) -> tuple[Tensor, Tensor]:
        self.network.eval()
        made, true = [], []
        with torch.no_grad():
            for start in range(0, len(frames.at), _TOGETHER):
                rows = np.arange(start, min(start + _TOGETHER, len(frames.at)))
                *inputs, wanted = frames.batch(rows)
                made.append(self.network(*inputs))
                true.append(wanted)
        return torch.cat(made), torch.cat(true)

    def parts(self) -> dict[str, Any]:
        found: dict[str, Any] = {"model": self.network, "optimiser": self.optimiser}
        if self.judge is not None:
            found |= {"judge": self.judge, "judge_optimiser": self.judge_optimiser}
        return found

    def publish(self) -> None:
        tensors = {name: t.half().contiguous() for name, t in self.network.state_dict().items()}
        with whole_path(self.out / WEIGHTS_FILE, overwrite=True) as draft:
            save_file(tensors, draft, {"config": json.dumps(self.config)})
