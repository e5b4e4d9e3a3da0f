"""Enrolment: fine-tunes the decoder's weights on footage of one person and packs the changes.

Features of the source, dense motion and sound stay unchanged. So no gradient passes through them,
which makes a step cheap, and references that a receiver holds stay valid when an identity arrives.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from ...codec.errors import ConfigError, TrainingError
from ...codec.identity import Identity, MouthHabits
from ...codec.picture.still import decode_picture, encode_picture
from ..avfr.model import Avfr
from ..weights import Card, changed_tensors
from ..weights.identity import DECODER
from ..weights.runtime_graphs import graph_parts, load_graph
from .cache import CachedClip
from .config import LossWeights, Progress
from .data import Augmentation, Pairs, collate
from .evaluate import evaluate
from .schedule import follow, rate_at
from .step import Objective

__all__ = ["EnrollConfig", "Enrolled", "as_received", "enroll", "is_better", "part"]

_MOST_CLIPS = 6  # that are measured on, if there are more
_MEASURED = 24  # frames that are measured, of all clips
_KEYFRAME_BYTES = 3000  # `sender.config`'s default
_MOST_WEIGHTS = 1_500_000  # more would leave less than 1.6 bits for each in 300 kB
_SURE = 10  # steps after which the time that a step takes is known
_SLACK_DB = 0.1  # face PSNR that may be lost for a smaller perceptual distance
Values = dict[str, Tensor]


@dataclass(frozen=True)
class EnrollConfig:
    """Settings of an enrolment.

    Attributes:
        minutes: stop after so many minutes, measuring included.
        steps: stop after so many optimiser steps.
        batch, drivings: source pictures in a step, and driving frames for each.
        learning_rate: of Adam; it falls to a twentieth along a cosine over the steps or the time.
        ema: decay of the averaged weights; these are the ones that are kept.
        evaluate_every: steps between two measurements on held-out footage.
        patience: stop after so many measurements without a better one.
        min_seconds: least footage with a face in it.
        held_out: part at the end of the footage that is measured on and not learned from. The
            first picture, its keyframe, is not learned from either.
        seed: of the samples and their augmentation.
        threads: CPU threads of torch; 0 leaves the choice to torch.
        losses: as in training, without `warped`, since the flow does not change here.
        augmentation: as in training.

    Raises:
        ConfigError: a value that makes no sense.
    """

    minutes: float = 8.0
    steps: int = 1200
    batch: int = 2
    drivings: int = 3
    learning_rate: float = 1e-3
    ema: float = 0.98
    evaluate_every: int = 100
    patience: int = 3
    min_seconds: float = 10.0
    held_out: float = 0.2
    seed: int = 0
    threads: int = 0
    losses: LossWeights = field(default_factory=lambda: LossWeights(warped=0))
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.drivings, self.evaluate_every, self.patience) < 1:
            raise ConfigError("steps, batch, drivings and the like must be at least 1")
        if not 0 < self.learning_rate < 1 or not 0 <= self.ema < 1:
            raise ConfigError("learning_rate must be in (0, 1) and ema in [0, 1)")
        if not 0.05 <= self.held_out <= 0.5 or not 0 < self.minutes < 1e4:
            raise ConfigError("held_out must be in [0.05, 0.5], and minutes above 0")


@dataclass(frozen=True)
class Enrolled:
    """Result of an enrolment.

    Attributes:
        identity: the packed changes.
        before, after: figures of `evaluate` on held-out footage: without the identity, and with it
            as a receiver has it.
        steps: optimiser steps taken.
    """

    identity: Identity
    before: dict[str, float]
    after: dict[str, float]
    steps: int


def part(clip: CachedClip, start: int, end: int) -> CachedClip:
    """The clip with only those kept pictures whose position is in `range(start, end)`."""
    return replace(clip, kept=clip.kept[start:end], frames=np.array(clip.frames[start:end]))


def as_received(clip: CachedClip) -> CachedClip:
    """The clip with its first usable picture, the keyframe, coded and decoded."""
    frames, first = np.array(clip.frames), int(clip.usable[0])
    picture = encode_picture(np.ascontiguousarray(frames[first]), max_bytes=_KEYFRAME_BYTES)
    frames[first] = decode_picture(picture)
    return replace(clip, frames=frames)


def is_better(after: Mapping[str, float], before: Mapping[str, float]) -> bool:
    """Whether figures of `evaluate` improved: whether the face's LPIPS fell at no other cost.

    LPIPS is one of the losses, and a face that is sharper but not the true one can lower it. So the
    LPIPS of the whole picture must not rise, and the face's PSNR must not fall by more than 0.1 dB.
    """
    face = after["net_face_lpips"] < before["net_face_lpips"]
    picture = after["net_lpips"] <= before["net_lpips"]
    return face and picture and after["net_face_psnr"] >= before["net_face_psnr"] - _SLACK_DB


def enroll(
    card: Card,
    clips: Sequence[CachedClip],
    settings: EnrollConfig | None = None,
    *,
    mouth: MouthHabits | None = None,
    progress: Progress | None = None,
) -> Enrolled:
    """Fit a network to one person.

    Args:
        card: of the network.
        clips: footage that shows this person alone.
        settings: see `EnrollConfig`.
        mouth: what was learned of the person's mouth; it becomes a part of the identity.
        progress: called with per cent done, 100, and the newest figures.

    Raises:
        TrainingError: there is too little footage, or the identity did not improve the held-out
            footage (`is_better`).
        WeightsError: the network cannot be loaded.
    """
    settings = settings or EnrollConfig()
    seconds = sum(float((clip.faces > 0).sum()) / clip.fps for clip in clips)
    if seconds < settings.min_seconds:
        raise TrainingError(
            f"{seconds:.1f} s with a face are too little to learn a person from: give at least "
            f"{settings.min_seconds:g} s, better a minute (the first minute of each video is used, "
            "up to its first cut)"
        )
    if settings.threads:
        torch.set_num_threads(settings.threads)
    return _Enrolment(card, clips, settings).run(progress, mouth)


class _Enrolment:
    def __init__(self, card: Card, clips: Sequence[CachedClip], settings: EnrollConfig) -> None:
        self.card, self.settings = card, settings
        self.started = time.monotonic()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.model = Avfr.from_pretrained(card.folder).to(device).requires_grad_(False)
        self.learned = _learned(self.model)
        for value in self.learned.values():
            value.requires_grad_(True)
        self.shipped = self.values()
        if "frame" in graph_parts(card):  # if it does not fit, say so now
            load_graph(card, "frame", {n: v.cpu().numpy() for n, v in self.shipped.items()})
        self.average = self.values()
        self.objective = Objective(
            settings.losses, "alex", adversarial=False, gaze=self.model.config.gaze
        ).to(device)
        cuts = [round(len(clip.kept) * (1 - settings.held_out)) for clip in clips]
        self.train = [part(clip, 1, cut) for clip, cut in zip(clips, cuts, strict=True)]
        self.held_out = list(_held_out(clips, cuts))
        if not self.held_out:
            raise TrainingError(
                "there is no face in the last part of the footage, on which the result is measured"
            )
        self.step = 0

    def values(self) -> Values:
        """A copy of the tensors that are being learned."""
        return {name: value.detach().clone() for name, value in self.learned.items()}

    @torch.no_grad()
    def put(self, values: Values) -> None:
        """Set the tensors that are being learned."""
        for name, value in self.learned.items():
            value.copy_(values[name])

    def figures(self, values: Values) -> dict[str, float]:
        """Figures of the network with these tensors on held-out footage."""
        now = self.values()
        self.put(values)
        longest = max(len(clip.usable) for clip in self.held_out) - 1
        frames = min(longest, max(2, _MEASURED // len(self.held_out)))
        found = evaluate(self.model, self.held_out, frames_per_clip=frames)
        self.put(now)
        return found

    def batches(self) -> Iterator[dict[str, Tensor]]:
        s, device = self.settings, next(self.model.parameters()).device
        pairs = iter(
            Pairs(
                self.train,
                self.model.face,
                drivings=s.drivings,
                size=self.model.config.size,
                augmentation=s.augmentation,
                seed=s.seed,
                structural=self.model.detector is not None,
                gaze=self.model.config.gaze,
            )
        )
        while True:
            batch = collate([next(pairs) for _ in range(s.batch)])
            moved = {name: value.to(device) for name, value in batch.items()}
            for name in ("picture", "source_picture"):
                moved[name] = moved[name].float() / 255
            yield moved

    def done(self) -> float:
        """Part of the run that is over, on [0, 1].

        It is measured in time if the time will not suffice for all steps, and in steps otherwise;
        then a run can be repeated with the same result.
        """
        over = (time.monotonic() - self.started) / 60 / self.settings.minutes
        by_steps = self.step / self.settings.steps
        return min(1.0, max(by_steps, over) if self.step >= _SURE or over >= 1 else by_steps)

    def run(self, progress: Progress | None, mouth: MouthHabits | None) -> Enrolled:
        """Learn, pack the weights that measured best, and measure those."""
        before = self.figures(self.shipped)
        best = self.learn(before, progress)
        deltas = {name: (best[name] - self.shipped[name]).cpu().numpy() for name in best}
        identity = Identity.pack(self.card.name, self.card.sha256, deltas, mouth)
        tensors = changed_tensors(self.card, identity)
        after = self.figures({name: torch.from_numpy(value) for name, value in tensors.items()})
        if not is_better(after, before):
            changes = ", ".join(
                f"{words} {before[name]:.{digits}f} before and {after[name]:.{digits}f} after"
                for name, words, digits in (
                    ("net_face_lpips", "face LPIPS", 4),
                    ("net_lpips", "picture LPIPS", 4),
                    ("net_face_psnr", "face PSNR", 2),
                )
            )
            raise TrainingError(
                "the network does not show this person better than before, on footage that it "
                f"did not learn from ({changes}): nothing is written. Longer footage in the light "
                "of the calls may help"
            )
        return Enrolled(identity, before, after, self.step)

    def learn(self, before: dict[str, float], progress: Progress | None) -> Values:
        """Fine-tune, and return the averaged tensors that measured best."""
        s = self.settings
        optimiser = torch.optim.Adam(list(self.learned.values()), s.learning_rate, (0.9, 0.99))
        best, lowest, worse = self.shipped, before["net_face_lpips"], 0
        batches, figures = self.batches(), ""
        while self.done() < 1 and worse < s.patience:
            if not self.take_step(next(batches), optimiser):
                break  # the loss is no longer a number: what measured best so far is kept
            if progress is not None:
                progress(round(100 * self.done()), 100, figures)
            if self.step % s.evaluate_every and self.done() < 1:
                continue
            found = self.figures(self.average)
            now = found["net_face_lpips"]
            figures = f"face LPIPS {before['net_face_lpips']:.4f} → {now:.4f}"
            worse += 1
            if now < lowest and is_better(found, before):
                best, lowest, worse = copy.deepcopy(self.average), now, 0
        return best

    def take_step(self, batch: dict[str, Tensor], optimiser: torch.optim.Optimizer) -> bool:
        """Take one optimiser step; returns False if the loss is no longer a number."""
        s = self.settings
        rate = rate_at(self.step, self.done(), highest=s.learning_rate, warmup=20, lowest=0.05)
        for group in optimiser.param_groups:
            group["lr"] = rate
        terms, _ = self.objective.losses(self.model, batch, adversarial=False)
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            return False
        optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.learned.values(), 1.0)
        optimiser.step()
        follow(self.average.values(), self.learned.values(), self.step, s.ema)
        self.step += 1
        return True


def _learned(model: nn.Module) -> dict[str, nn.Parameter]:
    """Tensors of the decoder, from its output backwards, as many as can be packed."""

    def depth(name: str) -> int:
        _, block, number = name.split(".")[:3]
        place = {"enter": -1, "head": len(DECODER) * 100}
        return place[block] if block in place else int(number) + (block != "blocks")

    found: dict[str, nn.Parameter] = {}
    decoder = {n: p for n, p in model.named_parameters() if n.startswith(DECODER)}
    weights = 0
    for name in sorted(decoder, key=depth, reverse=True):
        weights += decoder[name].numel()
        if weights > _MOST_WEIGHTS:
            break
        found[name] = decoder[name]
    return found


def _held_out(clips: Sequence[CachedClip], cuts: Sequence[int]) -> Iterator[CachedClip]:
    """The ends of the clips, which are measured on.

    Each is animated twice: from the first picture of the clip, as in a stream, and from its own
    first picture. Both are coded as keyframes, and neither is learned from.
    """
    for index in range(0, len(clips), -(-len(clips) // _MOST_CLIPS)):
        clip, cut = clips[index], cuts[index]
        end = part(clip, cut, len(clip.kept))
        for keyframe in (part(clip, 0, 1), part(clip, cut, cut)):
            piece = replace(
                end,
                kept=np.concatenate([keyframe.kept, end.kept]),
                frames=np.concatenate([keyframe.frames, end.frames]),
            )
            if len(piece.usable) > 1:
                yield as_received(piece)
