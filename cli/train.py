"""`facewire train`: clips to a network."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..codec.errors import ConfigError, MissingExtraError

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire train --data clips/ --out runs/first                 prepare, then train size `s`
  facewire train --data clips/ --out runs/first --resume        go on where it stopped
  facewire train --data clips/ --out runs/gan --start-from runs/first --adversarial 0.1
  facewire train --data clips/ --out runs/xs --size xs --steps 50000 --precision bf16
  facewire export runs/first                                    then make it ready to decode with

DIR holds videos of talking heads, one person in each. People are told apart by a CSV
(--people, columns file and identity), else by the folder that a clip lies in. Landmarks,
masks and mels are prepared once, into OUT/cache (or --cache). OUT receives curves.csv,
pictures/ (source, then driving frame and output), checkpoint.pt and model.safetensors.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a network from a folder of clips",
        description="Train AVFR-GAN on a folder of talking-head clips (extra [train]).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data", metavar="DIR", type=Path, help="videos; not needed with a prepared --cache")
    add("--out", metavar="DIR", type=Path, required=True, help="where the run lives")
    add("--cache", metavar="DIR", type=Path, help="prepared clips (default: OUT/cache)")
    add("--people", metavar="CSV", type=Path, help="columns `file` and `identity`")
    add("--held-out", metavar="DIR", type=Path, help="cache of clips to measure on")
    add("--held-out-people", metavar="N", type=int, default=4, help="else: hold out N people")
    add("--every", metavar="N", type=int, default=3, help="keep each N-th frame as a picture")
    add("--prepare-only", action="store_true", help="fill the cache and stop")
    add("--size", help="s, xs or paper (default: s)")
    add("--set", metavar="NAME=VALUE", action="append", default=[], help="a network setting, "
        "for example audio_prior=false or keypoint_mode=unsupervised")  # fmt: skip
    add("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    add("--start-from", metavar="DIR|SIZE", help="begin with these weights")
    add("--steps", type=int, default=20_000)
    add("--batch", type=int, default=4, help="sources a step (default: %(default)s)")
    add("--drivings", type=int, default=3, help="driving frames a source (default: %(default)s)")
    add("--learning-rate", type=float, default=4e-4)
    add("--perceptual", choices=("alex", "vgg"), default="alex", help="features of the loss")
    add("--adversarial", type=float, default=0.0, metavar="W", help="weight of the GAN loss")
    add("--precision", choices=("32", "bf16"), default="32")
    add("--threads", type=int, default=0, help="CPU threads (default: torch's choice)")
    add("--accelerator", default="auto", help="auto, gpu or cpu (default: %(default)s)")
    add("--devices", default="auto", help="how many (default: all GPUs, else the CPU)")
    add("--workers", type=int, default=0, help="processes that prepare samples")
    add("--minutes", type=float, default=0.0, help="stop after this time")
    add("--evaluate-every", type=int, default=500, metavar="STEPS")
    add("--seed", type=int, default=0)
    add("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Prepare and train."""
    try:
        import lightning_fabric  # noqa: F401
        import PIL  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    from ..models.avfr.model import Avfr
    from ..models.training.cache import read_cache
    from ..models.training.config import LossWeights, TrainConfig
    from ..models.training.fit_face import fit_face_table
    from ..models.training.loop import fit, split_by_person

    cache = args.cache or args.out / "cache"
    if args.data is not None:
        _prepare(args, cache)
    if args.prepare_only:
        return 0
    clips = read_cache(cache)
    if args.held_out is not None:
        train, held_out = clips, read_cache(args.held_out)
    else:
        train, held_out = split_by_person(clips, args.held_out_people, args.seed)
    if args.start_from and (args.size or args.set):
        raise ConfigError("--start-from brings its own network: leave out --size and --set")
    network = _network(args)
    start = Avfr.from_pretrained(args.start_from) if args.start_from else None
    settings = TrainConfig(
        steps=args.steps,
        batch=args.batch,
        drivings=args.drivings,
        learning_rate=args.learning_rate,
        perceptual_net=args.perceptual,
        precision=args.precision,
        threads=args.threads,
        accelerator=args.accelerator,
        devices=args.devices if args.devices == "auto" else _count(args.devices),
        workers=args.workers,
        minutes=args.minutes,
        evaluate_every=args.evaluate_every,
        picture_every=args.evaluate_every,
        seed=args.seed,
        size=(start.config if start else network).size,
        losses=replace(LossWeights(), adversarial=args.adversarial),
    )
    face = start.face if start else fit_face_table(c.landmarks[c.faces > 0] for c in train)
    checkpoint = args.out / "checkpoint.pt"
    fit(
        start.config if start else network,
        settings,
        train,
        held_out,
        args.out,
        face=face,
        resume=checkpoint if args.resume else None,
        start_from=start,
        progress=not args.quiet,
    )
    print(f"{args.out / 'model.safetensors'}; `facewire export {args.out}` makes it ready")
    return 0


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"--devices is `auto` or a number of 1 or more, not {text!r}")
    return int(text)


def _prepare(args: argparse.Namespace, cache: Path) -> None:
    from tqdm import tqdm

    from ..sender.prepare import prepare

    with tqdm(desc="prepare", unit="clip", disable=args.quiet) as bar:
        for done, total, problem in prepare(args.data, cache, people=args.people, every=args.every):
            bar.total = total
            bar.update(done - bar.n)
            if problem:
                print(f"left out: {problem}", file=sys.stderr)


def _network(args: argparse.Namespace) -> Any:
    """The size, with `--set`'s changes."""
    from ..models.avfr.config import SIZES, AvfrConfig

    size = args.size or "s"
    if size not in SIZES:
        raise ConfigError(f"--size is one of {', '.join(sorted(SIZES))}, not {size!r}")
    kinds = {f.name: f.type for f in fields(AvfrConfig)}
    changes: dict[str, Any] = {}
    for item in args.set:
        name, _, text = item.partition("=")
        kind = str(kinds.get(name, ""))
        try:
            if kind == "bool":
                changes[name] = {"true": True, "false": False}[text.lower()]
            elif kind == "int":
                changes[name] = int(text)
            elif kind.startswith("tuple"):
                changes[name] = tuple(int(v) for v in text.split(","))
            elif kind:
                changes[name] = text
            else:
                raise KeyError(name)
        except (KeyError, ValueError):
            raise ConfigError(
                f"--set {item!r}: a network has {', '.join(sorted(kinds))}; "
                "write name=value, lists with commas, true or false"
            ) from None
    return SIZES[size].with_changes(**changes)
