"""`facewire train --network apb2face | apb2face-v2`: prepared clips to a reenactor."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

import torch

from ..codec.errors import ConfigError
from ..models.apb2face.picture_loop import PictureTraining
from ..models.apb2face.received import head_of
from ..models.apb2face.reenactor import ReenactorConfig
from ..models.apb2face.reenactor_objective import ReenactorLosses
from ..models.apb2face.reenactor_train import train_reenactor
from ..models.apb2face.shots import split_shots
from ..models.apb2face_v2.export import export_reenactor
from ..models.apb2face_v2.network import ReenactorV2Config
from ..models.apb2face_v2.objective import ReenactorV2Losses
from ..models.apb2face_v2.train import train_v2
from ..models.cores import cores, has_bf16
from ..models.face.canonical import load_canonical
from ..models.third_party import find_asset
from ..models.training.cache import CachedClip, read_cache
from ..models.training.prepare import prepare
from ..models.weights import load_card
from ..sender.tracking.footage import TrackedFootage
from .stage import Stage

__all__ = ["run"]

_LEFT_OUT = ("teacher", "size", "more", "start_from", "held_out")
_FACE = "s"  # whose face table is taken over
_Settings = TypeVar("_Settings")


def run(args: argparse.Namespace) -> int:
    """Prepare clips, train, and export."""
    for name in _LEFT_OUT:
        if getattr(args, name):
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is not for --network {args.network}")
    one = args.network == "apb2face"
    person, items = _person(args.set) if one else (None, args.set)
    config: Any = ReenactorConfig() if one else ReenactorV2Config()
    losses: Any = ReenactorLosses() if one else ReenactorV2Losses()
    config, losses = _changed(items, config, losses, args.network)
    caches = args.cache or [args.out / "cache"]
    if args.data is not None:
        _prepare(args, caches[0])
    if args.prepare_only:
        return 0
    clips = [clip for cache in caches for clip in read_cache(cache)]
    if one:
        clips = _of_one(clips, person)
    learned, held_out = split_shots(clips)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    settings = PictureTraining(
        steps=args.steps,
        minutes=args.minutes,
        learning_rate=args.learning_rate or PictureTraining.learning_rate,
        batch=args.batch,
        evaluate_every=args.evaluate_every,
        seed=args.seed,
        half=args.precision == "bf16" or (args.precision == "auto" and has_bf16(device)),
    )
    face = load_card(_FACE).face_table()
    with Stage(f"training {args.out}", "step", quiet=args.quiet) as stage:
        more: Any = {"resume": args.resume, "progress": stage.show}
        if one:
            (shots,), (last,) = learned.values(), held_out.values()
            train_reenactor(config, settings, losses, face, shots, last, args.out, **more)
        else:
            head = head_of(load_canonical(find_asset("face_landmarker.task")))
            parts = (face, head, learned, held_out)
            train_v2(config, settings, losses, *parts, args.out, **more)
    difference = export_reenactor(load_card(args.out))
    print(f"largest difference between torch and OpenVINO (float32): {difference:.1e}")
    print(f"{args.out} is ready: `facewire encode --weights {args.out}` makes streams for it")
    return 0


def _person(items: Sequence[str]) -> tuple[str | None, list[str]]:
    """What `--set person=NAME` says, and the other items."""
    named = [item.partition("=")[2] for item in items if item.startswith("person=")]
    return (named[-1] if named else None), [i for i in items if not i.startswith("person=")]


def _of_one(clips: list[CachedClip], person: str | None) -> list[CachedClip]:
    """Clips of the person who is named, or of the only one."""
    people = sorted({clip.identity for clip in clips})
    if person is None and len(people) > 1:
        some = ", ".join(people[:5]) + (", …" if len(people) > 5 else "")
        raise ConfigError(
            f"an apb2face network draws one person, and the clips show {len(people)}: choose one "
            f"with --set person=NAME ({some})"
        )
    found = [clip for clip in clips if person in (None, clip.identity)]
    if not found:
        raise ConfigError(f"no clip shows {person!r}")
    return found


def _changed(
    items: Sequence[str], config: _Settings, losses: Any, network: str
) -> tuple[_Settings, Any]:
    """What `--set` says: numbers of the network or of its losses."""
    whole = [f.name for f in fields(config) if f.name != "name"]  # type: ignore[arg-type]
    weights = [f.name for f in fields(losses)]
    for item in items:
        name, _, text = item.partition("=")
        try:
            if name in whole:
                config = replace(config, **{name: int(text)})  # type: ignore[type-var]
            elif name in weights:
                losses = replace(losses, **{name: float(text)})
            else:
                raise ValueError(name)
        except ConfigError:
            raise
        except ValueError:
            raise ConfigError(
                f"--set {item!r} is no setting of {network}: write NAME=NUMBER with "
                f"{', '.join(whole + weights)}"
            ) from None
    return config, losses


def _prepare(args: argparse.Namespace, cache: Any) -> None:
    jobs = args.threads or cores()
    with Stage(f"preparing {args.data}", "clip", quiet=args.quiet) as stage:
        for done, total, problem in prepare(
            args.data, cache, TrackedFootage, people=args.people, every=args.every, jobs=jobs
        ):
            stage.show(done, total)
            if problem:
                stage.write(f"left out: {problem}")
