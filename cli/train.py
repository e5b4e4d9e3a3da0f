"""`facewire train`: clips to a network."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..codec.errors import ConfigError, MissingExtraError

__all__ = ["add_parser", "run"]

_DISTILLATION = 5.0  # what `xs` was trained with

_EPILOG = """\
examples:
  facewire train --data clips/ --out runs/first                 prepare, then train size `s`
  facewire train --data clips/ --out runs/first --resume        go on where it stopped
  facewire train --cache runs/first/cache --out runs/gan --start-from runs/first --adversarial 0.1
  facewire train --cache runs/first/cache --out runs/l --size l --start-from s
                                                                `s` and more blocks
  facewire train --cache runs/first/cache --out runs/xs --size xs --teacher s --steps 50000
                                                                a small one that imitates `s`
  facewire train --data pairs/ --cache pairs.cache runs/first/cache --out runs/more \\
      --start-from s --person-least 4                           pairs of stills beside clips
  facewire export runs/first                                    then make it ready to decode with

DIR holds videos of talking heads, one person in each. People are told apart by a CSV
(--people, columns file and identity), else by the folder that a clip lies in. Landmarks,
masks and mels are prepared once, into OUT/cache (or the first --cache). OUT receives
curves.csv, pictures/ (source, then driving frame and output), checkpoint.pt and
model.safetensors.

--start-from gives weights to begin with: its network has the new one's shape, or fewer blocks
(as `s` has, of `l`; the new ones begin without effect). --teacher gives pictures and motion to
imitate, as one more loss: only its picture size must be the new network's. Either brings its
face table, the start before the teacher.
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
    add("--cache", metavar="DIR", type=Path, nargs="+", help="prepared clips to learn from; "
        "--data goes into the first (default: OUT/cache)")  # fmt: skip
    add("--people", metavar="CSV", type=Path, help="columns `file` and `identity`")
    add("--held-out", metavar="DIR", type=Path, help="cache of clips to measure on")
    add("--held-out-people", metavar="N", type=int, default=4, help="else: hold out N people")
    add("--every", metavar="N", type=int, default=3, help="keep each N-th frame as a picture")
    add("--prepare-only", action="store_true", help="fill the cache and stop")
    add("--person-least", metavar="S", type=float, default=0.0, help="nobody counts for less "
        "than so many seconds; lets a pair of stills weigh something")  # fmt: skip
    add("--size", help="xs, s, l or paper (default: that of --start-from, else s)")
    add("--set", metavar="NAME=VALUE", action="append", default=[], help="a network setting, "
        "for example audio_prior=false or keypoint_mode=unsupervised")  # fmt: skip
    add("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    add("--start-from", metavar="SIZE|DIR", help="begin with these weights")
    add("--teacher", metavar="SIZE|DIR", help="imitate this network's pictures and motion")
    add("--distillation", type=float, metavar="W", help="weight of the teacher's loss "
        f"(default: {_DISTILLATION:g})")  # fmt: skip
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
    from ..models.training.start import begin_from

    if args.distillation is not None and not (args.teacher and args.distillation > 0):
        raise ConfigError("--distillation is a weight above 0, and there must be a --teacher")
    caches = args.cache or [args.out / "cache"]
    if args.data is not None:
        _prepare(args, caches[0])
    if args.prepare_only:
        return 0
    clips = [clip for cache in caches for clip in read_cache(cache)]
    if args.held_out is not None:
        train, held_out = clips, read_cache(args.held_out)
    else:
        train, held_out = split_by_person(clips, args.held_out_people, args.seed)
    source, teacher = (
        Avfr.from_pretrained(name) if name else None for name in (args.start_from, args.teacher)
    )
    network = _network(args, source.config if source else None)
    known = source or teacher
    face = known.face if known else fit_face_table(c.landmarks[c.faces > 0] for c in train)
    distillation = (args.distillation or _DISTILLATION) if teacher else 0.0
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
        person_least_s=args.person_least,
        size=network.size,
        losses=LossWeights(adversarial=args.adversarial, distillation=distillation),
    )
    checkpoint = args.out / "checkpoint.pt"
    fit(
        network,
        settings,
        train,
        held_out,
        args.out,
        face=face,
        resume=checkpoint if args.resume else None,
        start_from=begin_from(source, network, args.seed) if source else None,
        teacher=teacher,
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

    from ..models.training.prepare import prepare
    from ..sender.tracking.footage import TrackedFootage

    with tqdm(desc="prepare", unit="clip", disable=args.quiet) as bar:
        for done, total, problem in prepare(
            args.data, cache, TrackedFootage, people=args.people, every=args.every
        ):
            bar.total = total
            bar.update(done - bar.n)
            if problem:
                print(f"left out: {problem}", file=sys.stderr)


def _network(args: argparse.Namespace, start: Any) -> Any:
    """The size, else that of the start, with `--set`'s changes."""
    from ..models.avfr.config import SIZES, AvfrConfig

    if args.size and args.size not in SIZES:
        raise ConfigError(f"--size is one of {', '.join(sorted(SIZES))}, not {args.size!r}")
    base = start if start and not args.size else SIZES[args.size or "s"]
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
    return base.with_changes(**changes)
