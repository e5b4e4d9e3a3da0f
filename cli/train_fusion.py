"""`facewire train --network fusion`: a folder of clips to a fusion network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path

import torch

from ..codec.errors import ConfigError
from ..models.cores import has_bf16
from ..models.fusion.batches import BatchSettings
from ..models.fusion.evaluate import measure
from ..models.fusion.network import FusionConfig
from ..models.fusion.objective import FusionLosses
from ..models.fusion.pieces import Progress, prepare, prepare_held_out
from ..models.fusion.samples import Samples, read_samples
from ..models.fusion.store import load_fusion, save_graph
from ..models.fusion.train import FusionTraining, train_fusion
from ..models.weights import fusion_card, load_card
from ..receiver.generators.fusion import Fusion
from ..receiver.generators.load import load_generator
from ..sender.tracking.footage import TrackedFootage
from .stage import Stage

__all__ = ["run"]

_LEFT_OUT = ("teacher", "size", "more")


def run(args: argparse.Namespace) -> int:
    """Prepare samples, train, export, and measure on held-out people."""
    for name in _LEFT_OUT:
        if getattr(args, name):
            raise ConfigError(f"--{name} is for --network avfr; --network fusion does not take it")
    losses = _losses(args.set)
    start = load_fusion(fusion_card(args.start_from).folder) if args.start_from else None
    caches = args.cache or [args.out / "cache"]
    if args.data is not None:
        _prepare(args, args.data, caches[0], prepare)
    if args.prepare_only:
        return 0
    samples = [piece for cache in caches for piece in read_samples(cache)]
    held_out = _held_out(args) if args.held_out else []
    _refuse_known_people(samples, held_out)
    if args.threads:
        torch.set_num_threads(args.threads)
    settings = FusionTraining(
        steps=args.steps,
        minutes=args.minutes,
        learning_rate=args.learning_rate or FusionTraining.learning_rate,
        seed=args.seed,
        batch=BatchSettings(pairs=args.batch),
        losses=losses,
        half=args.precision == "bf16" or (args.precision == "auto" and has_bf16()),
    )
    with Stage(f"training {args.out}", "step", quiet=args.quiet) as stage:
        train_fusion(
            start.config if start else FusionConfig(),
            settings,
            samples,
            args.out,
            resume=args.resume,
            start_from=start,
            progress=stage.show,
        )
    print(save_graph(args.out))
    if held_out:
        print(_table(args.out, held_out))
    return 0


def _losses(items: Sequence[str]) -> FusionLosses:
    """What `--set` says: weights of the losses."""
    losses, names = FusionLosses(), [field.name for field in fields(FusionLosses)]
    for item in items:
        name, _, text = item.partition("=")
        try:
            if name not in names:
                raise ValueError(name)
            losses = replace(losses, **{name: float(text)})
        except ValueError:
            raise ConfigError(
                f"--set {item!r} is no loss of a fusion network: write NAME=NUMBER with "
                f"{', '.join(names)}"
            ) from None
    return losses


def _prepare(
    args: argparse.Namespace, data: Path, cache: Path, prepare: Callable[..., Iterator[Progress]]
) -> None:
    card = load_card("s")
    animator, table = load_generator(card, threads=args.threads or None), card.face_table()
    with Stage(f"preparing {data}", "clip", quiet=args.quiet) as stage:
        for done, total, problem in prepare(
            data, cache, TrackedFootage, animator, table, people=args.people
        ):
            stage.show(done, total)
            if problem:
                stage.write(f"left out: {problem}")


def _held_out(args: argparse.Namespace) -> list[Samples]:
    """Samples to measure with, from a folder that holds them or the videos to make them of."""
    if any(args.held_out.glob("*.npz")):
        return read_samples(args.held_out)
    cache = args.out / "held-out"
    _prepare(args, args.held_out, cache, prepare_held_out)
    return read_samples(cache)


def _refuse_known_people(samples: list[Samples], held_out: list[Samples]) -> None:
    both = {piece.person for piece in samples} & {piece.person for piece in held_out}
    if both:
        raise ConfigError(
            f"{', '.join(sorted(both)[:3])} would be learned from and measured on: "
            "--held-out must hold other people"
        )


def _table(run: Path, held_out: list[Samples]) -> str:
    """Figures of each base layer, of the base alone, the generated picture, and both."""
    return "\n".join(_rows(run, held_out))


def _rows(run: Path, held_out: list[Samples]) -> Iterator[str]:
    fusion, first = Fusion(fusion_card(run)), held_out[0]
    layers = range(len(first.crf))
    found = measure(held_out, lambda made, base, points, age: fusion.fuse(
        made, base, points, age=age), layers)  # fmt: skip
    yield f"{'':28}LPIPS   of the face   PSNR   flicker"
    for layer, columns in zip(layers, found, strict=True):
        for name, row in columns.items():
            about = f"CRF {first.crf[layer]:.0f}, {first.side[layer]} pixels, {name}"
            figures = f"{row['lpips']:.4f}  {row['face_lpips']:.4f}  {row['psnr']:.2f}"
            yield f"{about:28}{figures}  {row['flicker']:.2f}"
