"""`facewire train --network apb2face-geometry`: a folder of talks to a geometry predictor."""

from __future__ import annotations

import argparse
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import torch

from ..codec.errors import ConfigError
from ..models.apb2face.features import HeadAngles
from ..models.apb2face.mouth import MouthConfig
from ..models.apb2face.mouth_evaluate import opening_correlations
from ..models.apb2face.mouth_train import MouthTraining, train_mouth
from ..models.apb2face.objective import GeometryLosses
from ..models.apb2face.paper_frames import paper_frames, split_by_time
from ..models.apb2face.paper_train import PaperTraining, train_paper
from ..models.apb2face.people import samples_of
from ..models.apb2face.sound import LOOKAHEADS
from ..models.apb2face.store import load_mouth, save_mouth_graph
from ..models.apb2face.talks import Talk, prepare_talks, read_talks
from ..models.face.canonical import load_canonical
from ..models.third_party import find_asset
from ..sender.tracking.footage import TrackedFootage
from .stage import Stage

__all__ = ["run"]

_LEFT_OUT = ("teacher", "size", "more", "start_from")
_LEAST_S = 8.0  # people of whom less is known say little about a correlation


def run(args: argparse.Namespace) -> int:
    """Prepare talks, train, export, and measure on held-out people."""
    for name in _LEFT_OUT:
        if getattr(args, name):
            option = name.replace("_", "-")
            raise ConfigError(
                f"--{option} is for --network avfr; --network apb2face-geometry does not take it"
            )
    variant, config, losses = _changes(args.set)
    caches = args.cache or [args.out / "cache"]
    if args.data is not None:
        _prepare(args, args.data, caches[0])
    if args.prepare_only:
        return 0
    talks = [talk for cache in caches for talk in read_talks(cache)]
    if args.threads:
        torch.set_num_threads(args.threads)
    with Stage(f"training {args.out}", "step", quiet=args.quiet) as stage:
        if variant == "paper":
            _paper(args, losses, talks, stage)
            return 0
        learned, chosen = split_people(talks, args.held_out_people, args.seed)
        settings = MouthTraining(
            steps=args.steps,
            minutes=args.minutes,
            learning_rate=args.learning_rate or MouthTraining.learning_rate,
            evaluate_every=args.evaluate_every,
            seed=args.seed,
        )
        train_mouth(
            config, settings, learned, chosen, args.out, resume=args.resume, progress=stage.show
        )
    print(save_mouth_graph(args.out))
    if args.held_out is not None:
        print(_table(args.out, _held_out(args)))
    return 0


def split_people(talks: list[Talk], count: int, seed: int) -> tuple[list[Talk], list[Talk]]:
    """Talks to learn from, and those of some people with eight seconds or more to choose by."""
    seconds: dict[str, float] = {}
    for talk in talks:
        seconds[talk.identity] = seconds.get(talk.identity, 0.0) + len(talk.landmarks) / 25
    people = sorted(person for person, length in seconds.items() if length >= _LEAST_S)
    if len(seconds) < 2:
        raise ConfigError("there are talks of one person only, and nobody to hold out")
    order = np.random.default_rng(seed).permutation(len(people))
    held = {people[i] for i in order[: min(count, len(seconds) - 1)]}
    learned = [talk for talk in talks if talk.identity not in held]
    return learned, [talk for talk in talks if talk.identity in held]


def _changes(items: list[str]) -> tuple[str, MouthConfig, GeometryLosses]:
    """What `--set` says: the variant, and numbers of the network or of the paper's losses."""
    variant, config, losses = "unseen", MouthConfig(), GeometryLosses()
    numbers = {f.name: type(getattr(config, f.name)) for f in fields(config)}
    for item in items:
        name, _, text = item.partition("=")
        try:
            if name == "variant" and text in ("unseen", "paper"):
                variant = text
            elif name in ("l1", "adversarial"):
                losses = replace(losses, **{name: float(text)})
            else:
                config = replace(config, **{name: numbers[name](text)})
        except (KeyError, ValueError):
            raise ConfigError(
                f"--set {item!r} is no setting of a geometry predictor: write variant=unseen or "
                f"variant=paper, or NAME=NUMBER with {', '.join(numbers)}, l1 or adversarial"
            ) from None
    return variant, config, losses


def _prepare(args: argparse.Namespace, data: Path, cache: Path) -> None:
    with Stage(f"preparing {data}", "clip", quiet=args.quiet) as stage:
        for done, total, problem in prepare_talks(data, cache, TrackedFootage, people=args.people):
            stage.show(done, total)
            if problem:
                stage.write(f"left out: {problem}")


def _held_out(args: argparse.Namespace) -> list[Talk]:
    """Talks to measure with, from a folder that holds them or the videos to make them of."""
    if any(args.held_out.glob("*.npz")):
        return read_talks(args.held_out)
    cache = args.out / "held-out"
    _prepare(args, args.held_out, cache)
    return read_talks(cache)


def _paper(
    args: argparse.Namespace, losses: GeometryLosses, talks: list[Talk], stage: Stage
) -> None:
    """The paper's predictor learns its people; the last fifth of each is held out."""
    angles = HeadAngles(load_canonical(find_asset("face_landmarker.task")))
    first, last = (paper_frames(part, angles) for part in split_by_time(talks))
    settings = PaperTraining(
        steps=args.steps,
        minutes=args.minutes,
        learning_rate=args.learning_rate or PaperTraining.learning_rate,
        evaluate_every=args.evaluate_every,
        seed=args.seed,
        losses=losses,
    )
    train_paper(settings, first, last, args.out, resume=args.resume, progress=stage.show)


def _table(run: Path, talks: list[Talk]) -> str:
    """Correlation of the mouth's opening of each held-out person, with each look-ahead."""
    found = opening_correlations(load_mouth(run), samples_of(talks))
    if not found:
        return "the held-out talks are too short to be measured: at least 4 seconds of a person"
    rows = [f"{'look-ahead in ms':20}{''.join(f'{ms:>8}' for ms in LOOKAHEADS)}"]
    rows += [f"{name:20}{''.join(f'{v:8.2f}' for v in values)}" for name, values in found.items()]
    means = np.mean(list(found.values()), 0)
    return "\n".join([*rows, f"{'mean':20}{''.join(f'{v:8.3f}' for v in means)}"])
