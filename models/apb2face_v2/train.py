"""`train_v2`: pictures and sound of several people to an `Apb2FaceV2` (sections 3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..apb2face.features import HeadAngles
from ..apb2face.generator_store import save_generator
from ..apb2face.landmarks import select_106
from ..apb2face.objective import landmark_error_px
from ..apb2face.picture_loop import Batch, PictureLoop, PictureTraining
from ..apb2face.received import mesh_of
from ..apb2face.shots import Shot, as_picture, spread
from ..face.canonical import CanonicalFace
from ..face.mesh import select_points
from ..face.table import FaceTable
from ..mel import SAMPLE_RATE, mel_window
from ..training.config import Progress
from .inputs import blink_of, pose_of, sound_of
from .network import Apb2FaceV2, ReenactorV2Config
from .objective import ReenactorV2Losses, content_losses

__all__ = ["driven", "train_v2"]

_MEASURED = 8  # held-out pictures of each person

People = Mapping[str, Sequence[Shot]]


def train_v2(
    config: ReenactorV2Config,
    settings: PictureTraining,
    losses: ReenactorV2Losses,
    face: FaceTable,
    head: CanonicalFace,
    people: People,
    held_out: People,
    out: Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
) -> Apb2FaceV2:
    """Train one network for some people. Each person is drawn as often as any other.

    `out` receives the files of `ResumableRun` and `model.safetensors`, in FP16, with the averages.
    `held-out.csv` gives their error on held-out pictures, each with the person's first picture as
    reference: of the picture in grey levels of 255, and of the Fuser's landmarks in pixels.

    Args:
        config: see there.
        settings: see there.
        losses: see there.
        face: the table by which receivers rebuild landmarks.
        head: see `Apb2FaceV2`.
        people: pictures to learn from.
        held_out: other pictures of the same people.
        out: folder of the run.
        resume: go on from the checkpoint in `out`.
        progress: called every fifty steps.

    Raises:
        TrainingError: no such checkpoint, or a loss that is no longer a number.
    """
    run = _Run(config, settings, losses, face, head, people, held_out, out)
    if resume:
        run.load()
    run.train(progress)
    return run.average_network


def driven(
    references: Sequence[Shot], targets: Sequence[Shot], angles: HeadAngles, size: int
) -> Batch:
    """Reference faces, and what drives them to the targets.

    Args:
        references: one for each target, of the same person.
        targets: pictures to be made.
        angles: see `inputs.pose_of`.
        size: of the pictures.

    Returns:
        `reference` and `picture` `[B, 3, S, S]` on [0, 1], `sound` `[B, 1, 64, 60]`, `pose`
        `[B, 3]`, `blink` `[B, 2]`, `landmarks` `[B, 106, 2]` on [-1, 1].
    """
    points = np.stack([select_points(s.clip.landmarks[s.frame]) for s in targets])
    windows = [mel_window(s.clip.mel, round(s.frame * SAMPLE_RATE / s.clip.fps)) for s in targets]
    return {
        "reference": as_picture([shot.picture(size) for shot in references]),
        "picture": as_picture([shot.picture(size) for shot in targets]),
        "sound": torch.from_numpy(np.stack([sound_of(mel) for mel in windows])),
        "pose": torch.from_numpy(pose_of(angles, points)),
        "blink": torch.from_numpy(blink_of(points)),
        "landmarks": torch.from_numpy(select_106(mesh_of(points))),
    }


class _Run(PictureLoop):
    def __init__(
        self,
        config: ReenactorV2Config,
        settings: PictureTraining,
        losses: ReenactorV2Losses,
        face: FaceTable,
        head: CanonicalFace,
        people: People,
        held_out: People,
        out: Path,
    ) -> None:
        torch.manual_seed(settings.seed)
        network = Apb2FaceV2(config, face, head)
        super().__init__(settings, config.to_dict(), network, 0, losses.adversarial, out)
        self.config, self.losses, self.angles = config, losses, HeadAngles(head)
        self.people = [people[name] for name in sorted(people)]
        self.pairs = [
            (people[name][0], shot)
            for name in sorted(held_out)
            for shot in spread(held_out[name], _MEASURED)
        ]

    def draw(self, rng: np.random.Generator) -> Batch:
        chosen = [self.people[i] for i in rng.integers(len(self.people), size=self.settings.batch)]
        pairs = [[own[i] for i in rng.integers(len(own), size=2)] for own in chosen]
        references, targets = zip(*pairs, strict=True)
        return driven(references, targets, self.angles, self.config.size)

    def make(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        made, landmarks = self.network(*_inputs(batch))
        true = batch["picture"], batch["landmarks"]
        return made, content_losses(made, true[0], landmarks, true[1], self.losses)

    @property
    def average_network(self) -> Apb2FaceV2:
        if not isinstance(self.average, Apb2FaceV2):
            raise TypeError("the average is a copy of the network")
        return self.average

    def evaluate(self) -> dict[str, float]:
        levels, pixels = [], []
        with torch.inference_mode():
            for reference, target in self.pairs:
                batch = driven([reference], [target], self.angles, self.config.size)
                batch = {name: value.to(self.device) for name, value in batch.items()}
                made, landmarks = self.average(*_inputs(batch))
                levels.append(float((made - batch["picture"]).abs().mean()) * 255)
                pixels.append(float(landmark_error_px(landmarks, batch["landmarks"])))
        return {"picture_levels": float(np.mean(levels)), "landmarks_px": float(np.mean(pixels))}

    def publish(self) -> None:
        network = self.average_network
        save_generator(network, network.config.to_dict(), network.face, self.out)


def _inputs(batch: Batch) -> list[Tensor]:
    return [batch[name] for name in ("reference", "sound", "pose", "blink")]
