"""`facewire train`: a folder of clips to a network."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..codec.errors import ConfigError, MissingExtraError
from . import names
from .stage import Stage

if TYPE_CHECKING:
    from ..models.training.cache import CachedClip
    from ..models.training.config import TrainConfig
    from ..models.training.rounds import Round

__all__ = ["add_parser", "run"]

_AVFR = "avfr"  # the network that is trained unless another one is named
_DISTILLATION = 5.0  # what `xs` was trained with
_ROUND_MINUTES = 60.0  # of `--more`
_RATE = 4e-4
_MORE_RATE, _MORE_FLICKER, _MORE_PERSON_LEAST = 5e-4, 10.0, 4.0  # as the shipped `s` was trained
_RUN = ("checkpoint.pt", "model.safetensors", "curves.csv")  # files that make a folder a run

_EPILOG = """\
examples:
  facewire train --data clips/ --out runs/first                 prepares clips, then trains size `s`
  facewire train --data clips/ --out runs/first --resume        goes on where it stopped
  facewire train --cache runs/first/cache --out runs/gan --start-from runs/first --adversarial 0.1
                                                                adds a GAN loss
  facewire train --cache runs/first/cache --out runs/l --size l --start-from s
                                                                begins with `s`, with more blocks
  facewire train --cache runs/first/cache --out runs/xs --size xs --teacher s --steps 50000
                                                                trains a small one to imitate `s`
  facewire train --data pairs/ --cache pairs.cache runs/first/cache --out runs/more \\
      --start-from s --person-least 4                           learns from pairs of stills too
  facewire train --more --data clips/ --out runs/more --minutes 60
                                                                goes on from the last weights
  facewire train --network fusion --data clips/ --held-out other-people/ --out runs/fusion
                                                                trains the network that
                                                                restores a base layer
  facewire train --network apb2face-geometry --data clips/ --held-out other-people/ --out runs/mouth
                                                                trains the network that moves a
                                                                mouth by its sound
  facewire train --network apb2face --data one-person/ --out runs/her --batch 16
                                                                trains the network that draws one
                                                                person from landmarks
  facewire train --network apb2face-v2 --data clips/ --people people.csv --out runs/v2 --batch 16
                                                                trains the network that draws the
                                                                people of the clips from sound,
                                                                head pose and blinks
  facewire export runs/first                                    then makes it ready to decode with

--data holds videos of talking heads, one person in each. A CSV (--people) says who is seen in each
file. Without it, all videos in one subfolder show the same person, and each video that lies in
--data itself shows another one. Landmarks, masks and sound are prepared once, into OUT/cache or
the first --cache. OUT receives model.safetensors, checkpoint.pt, curves.csv and pictures/ (source,
then driving frame, output and flow). A folder that holds a run already is used again only with
--resume, or with --force, which starts anew.

--start-from names weights to begin with. They come from a network of the same shape, from one with
fewer blocks (as `s` has fewer than `l`; the new blocks then begin without effect), or, with --set
gaze=true, from one that does not show the gaze. --teacher names a network whose pictures and motion
are imitated, as one more loss; only its picture size must be that of the new network. The new
network takes over the face table of the network it starts from, or else that of the teacher.

--network fusion trains the network that combines a generated picture and a base layer into one
picture. --data is prepared into samples, which take about 5 MB for each second of video; at most 75
seconds of each person are used. --held-out is a folder of samples, or of videos of other people,
which are prepared into OUT/held-out. At the end, the trained network is exported as by `facewire
export`, and a table of the held-out people is printed.

--network apb2face-geometry trains the network that moves a mouth by its sound. Clips without sound
are left out. Of --data only landmarks and sound are prepared, no pictures; any prepared --cache can
be learned from. --set variant=paper trains the predictor of the paper instead, which learns the
people of --data by heart; --set adversarial=0 leaves its discriminator out.

--network apb2face draws one person, whom --set person=NAME chooses where the clips show more.
--network apb2face-v2 draws all people of the clips. The last fifth of each person's pictures is
held out and measured on. Both learn from any prepared --cache, take over the face table of `s`, and
are exported at the end. --set changes their widths (for example channels=32) and the weights of
their losses (for example l1=100).

--more trains in rounds, OUT/0001, OUT/0002 and so on. Each round begins with the weights of the
round before, and the first one with --start-from (default: s). A round lasts --minutes, in which
its learning rate falls to its end. You may stop it at any moment: the same command goes on. At its
end, a round is compared on held-out people with the network of --against, by every measure, and
the table is printed. Losses and learning rate are by default those with which the shipped `s` was
trained at last, but for --likeness, which needs a network that does not come with facewire.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire train`."""
    parser = subparsers.add_parser(
        "train",
        help="train a network from a folder of clips",
        description="Train AVFR-GAN, or another network (--network), on a folder of talking-head "
        "clips (needs the extra [train]).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    parser.add_argument("--more", action="store_true", help="go on from the last weights in OUT, "
        "round by round; compare each round with --against")  # fmt: skip
    parser.add_argument("--against", metavar="SIZE|DIR", default="s", help="network that --more "
        "compares a round with (default: %(default)s)")  # fmt: skip
    names.add_force(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    _add_data(parser.add_argument_group("clips").add_argument)
    _add_network(parser.add_argument_group("network").add_argument)
    _add_training(parser.add_argument_group("training").add_argument)
    _add_machine(parser.add_argument_group("machine").add_argument)


def _add_data(add: Callable[..., object]) -> None:
    add("--data", metavar="DIR", type=Path,
        help="folder of videos; not needed with a prepared --cache")  # fmt: skip
    add("--cache", metavar="DIR", type=Path, nargs="+", help="folders of prepared clips to "
        "learn from; --data is prepared into the first (default: OUT/cache)")  # fmt: skip
    add("--people", metavar="CSV", type=Path,
        help="who is seen in each video: columns `file` and `identity`")  # fmt: skip
    add("--held-out", metavar="DIR", type=Path, help="folder of prepared clips to measure on")
    add("--held-out-people", metavar="N", type=int, default=4, help="without --held-out: how "
        "many people are measured on, and not learned from (default: %(default)s)")  # fmt: skip
    add("--every", metavar="N", type=int, default=6,
        help="keep each N-th frame and the next as pictures (default: %(default)s)")  # fmt: skip
    add("--prepare-only", action="store_true", help="prepare --data and stop")
    add("--person-least", metavar="S", type=float, help="let every person count for at least S "
        "seconds, as pairs of stills need it (default: 0; with --more "
        f"{_MORE_PERSON_LEAST:g})")  # fmt: skip


def _add_network(add: Callable[..., object]) -> None:
    add("--network", default=_AVFR,
        choices=(_AVFR, "apb2face-geometry", "apb2face", "apb2face-v2", "fusion"),
        help="the network to train: avfr is AVFR-GAN, which uses all options; fusion uses only "
        "--data, --cache, --people, --held-out, --set, --start-from, --steps, --minutes, --batch, "
        "--learning-rate, --seed, --precision, --threads; apb2face-geometry uses these but "
        "--start-from, --batch and --precision, and --held-out-people, --evaluate-every; "
        "apb2face and apb2face-v2 use --data, --cache, --people, --every, --set, --steps, "
        "--minutes, --batch, --learning-rate, --evaluate-every, --seed, --precision, --threads "
        "(default: %(default)s)")  # fmt: skip
    add("--size", help="xs, s, l or paper (default: as --start-from, else s)")
    add("--set", metavar="NAME=VALUE", action="append", default=[], help="change a setting of "
        "the network, for example gaze=true or keypoint_mode=unsupervised; with --network fusion, "
        "the weight of a loss, for example texture=2")  # fmt: skip
    add("--start-from", metavar="SIZE|DIR", help="begin with the weights of this network")
    add("--teacher", metavar="SIZE|DIR", help="imitate this network's pictures and motion too")


def _add_training(add: Callable[..., object]) -> None:
    add("--steps", metavar="N", type=int, default=20_000,
        help="end after so many steps (default: %(default)s)")  # fmt: skip
    add("--minutes", metavar="M", type=float, default=0.0, help="end after so many minutes "
        "if that is earlier than --steps; minutes before a --resume count (default: no limit; with "
        "--more 60)")  # fmt: skip
    add("--batch", metavar="N", type=int, default=4,
        help="source pictures in a step; for a fusion network, pairs of frames "
        "(default: %(default)s)")  # fmt: skip
    add("--drivings", metavar="N", type=int, default=3,
        help="driving frames for each source (default: %(default)s)")  # fmt: skip
    add("--learning-rate", metavar="X", type=float, help="highest learning rate "
        f"(default: {_RATE:g}; with --more {_MORE_RATE:g}; a fusion network: 0.001)")  # fmt: skip
    add("--perceptual", choices=("alex", "vgg"), default="alex", help="network "
        "whose features the perceptual loss compares (default: %(default)s)")  # fmt: skip
    add("--adversarial", metavar="W", type=float, default=0.0, help="weight of the GAN loss "
        "(default: 0, without a GAN)")  # fmt: skip
    add("--flicker", metavar="W", type=float, help="weight of the loss that compares the change "
        "from frame to frame with the true one (default: 0, without it; with --more "
        f"{_MORE_FLICKER:g})")  # fmt: skip
    add("--likeness", metavar="FILE", type=Path, help="a face recognition network as TorchScript: "
        "adds a loss that makes faces more like the true ones (docs/training.md)")  # fmt: skip
    add("--likeness-weight", metavar="W", type=float, default=1.0,
        help="weight of the likeness loss (default: %(default)s)")  # fmt: skip
    add("--distillation", metavar="W", type=float,
        help=f"weight of the teacher's loss (default: {_DISTILLATION:g})")  # fmt: skip
    add("--evaluate-every", metavar="N", type=int, default=500,
        help="measure and draw pictures every N steps (default: %(default)s)")  # fmt: skip
    add("--seed", metavar="N", type=int, default=0,
        help="seed of all random choices (default: %(default)s)")  # fmt: skip


def _add_machine(add: Callable[..., object]) -> None:
    add("--precision", choices=("auto", "32", "bf16"),
        help="32: float32; bf16: mixed precision, for processors that have instructions for it; "
        "auto: bf16 where the device has them (default: 32; with --more auto)")  # fmt: skip
    add("--threads", metavar="N", type=int, default=0, help="CPU threads (default: torch's choice)")
    add("--accelerator", default="auto", help="auto, gpu or cpu (default: %(default)s)")
    add("--devices", metavar="N", default="auto", help="how many GPUs (default: all)")
    add("--workers", metavar="N", type=int, default=0,
        help="processes that make samples beside the training (default: none)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Prepare and train."""
    if args.network != _AVFR:
        return _run_other(args)
    try:
        import lightning_fabric  # noqa: F401
        import PIL  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    from ..models.avfr.model import Avfr
    from ..models.training.cache import read_cache
    from ..models.training.fit_face import fit_face_table
    from ..models.training.loop import fit, split_by_person
    from ..models.training.rounds import next_round
    from ..models.training.start import begin_from

    turn: Round | None = None
    if args.more:
        turn = next_round(args.out)
        args = _as_round(args, turn)
    if args.distillation is not None and not (args.teacher and args.distillation > 0):
        raise ConfigError("--distillation is a weight above 0, and there must be a --teacher")
    if not (args.resume or args.prepare_only or args.force):
        _refuse_a_run(args.out)
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
    settings = _settings(args, network.size, has_teacher=teacher is not None)
    with Stage(f"training {args.out}", "step", quiet=args.quiet) as stage:
        fit(
            network,
            settings,
            train,
            held_out,
            args.out,
            face=face,
            resume=args.out / "checkpoint.pt" if args.resume else None,
            start_from=begin_from(source, network, args.seed) if source else None,
            teacher=teacher,
            progress=stage.show,
        )
    print(f"{args.out / 'model.safetensors'}: `facewire export {args.out}` makes it ready to use")
    if turn is not None:
        _judge(turn, args, held_out)
    return 0


def _run_other(args: argparse.Namespace) -> int:
    """Prepare and train a network that is no AVFR-GAN."""
    try:
        from . import train_fusion, train_geometry, train_reenactor
    except ImportError as error:
        raise MissingExtraError("training", "train") from error
    if not (args.resume or args.prepare_only or args.force):
        _refuse_a_run(args.out)
    runs = {"fusion": train_fusion.run, "apb2face-geometry": train_geometry.run}
    return runs.get(args.network, train_reenactor.run)(args)


def _as_round(args: argparse.Namespace, turn: Round) -> argparse.Namespace:
    """The arguments of one round of `--more`."""
    try:
        from ..eval import networks  # noqa: F401
    except ImportError as error:  # said before the training, not after it
        raise MissingExtraError("comparing networks", "eval") from error
    if args.resume or args.force:
        raise ConfigError("--more knows itself where to go on: leave out --resume and --force")
    changes = {
        "out": turn.folder,
        "cache": args.cache or [args.out / "cache"],
        "resume": turn.resume,
        "force": True,  # what was stopped before its first checkpoint begins anew
        "start_from": turn.start or args.start_from or "s",
        "size": None if turn.start else args.size,
        "minutes": args.minutes or _ROUND_MINUTES,
        "learning_rate": args.learning_rate or _MORE_RATE,
        "precision": args.precision or "auto",
        "flicker": _MORE_FLICKER if args.flicker is None else args.flicker,
        "person_least": _MORE_PERSON_LEAST if args.person_least is None else args.person_least,
    }
    return argparse.Namespace(**{**vars(args), **changes})


def _judge(turn: Round, args: argparse.Namespace, held_out: list[CachedClip]) -> None:
    """Compare what a round made with another network, and end the round."""
    from ..codec.whole_file import whole_file
    from ..eval.networks import compare_networks, measure_network
    from ..eval.suite import Suite
    from ..models.avfr.model import Avfr

    suite = Suite(threads=args.threads or 1)
    measured = []
    for name in (turn.folder, args.against):
        with Stage(f"measuring {name}", "clip", quiet=args.quiet) as stage:
            network = Avfr.from_pretrained(name)
            measured.append(measure_network(network, held_out, suite, progress=stage.show))
    table = compare_networks(*measured).text(str(turn.folder), str(args.against))
    with whole_file(turn.verdict, overwrite=True) as file:
        file.write(f"{table}\n".encode())
    print(table)


def _settings(args: argparse.Namespace, size: int, *, has_teacher: bool) -> TrainConfig:
    from ..models.training.config import LossWeights, TrainConfig

    distillation = (args.distillation or _DISTILLATION) if has_teacher else 0.0
    settings = TrainConfig(
        steps=args.steps,
        batch=args.batch,
        drivings=args.drivings,
        learning_rate=args.learning_rate or _RATE,
        perceptual_net=args.perceptual,
        precision=args.precision or "32",
        threads=args.threads,
        accelerator=args.accelerator,
        devices=args.devices if args.devices == "auto" else _count(args.devices),
        workers=args.workers,
        minutes=args.minutes,
        evaluate_every=args.evaluate_every,
        picture_every=args.evaluate_every,
        seed=args.seed,
        person_least_s=args.person_least or 0.0,
        size=size,
        likeness_net=str(args.likeness or ""),
        losses=LossWeights(
            adversarial=args.adversarial,
            distillation=distillation,
            flicker=args.flicker or 0.0,
            likeness=args.likeness_weight if args.likeness else 0.0,
        ),
    )
    if not args.more:
        return settings
    # What the shipped weights were trained on with at last (docs/training-runs.md).
    return replace(
        settings,
        warmup=50,
        ema=0.998,
        losses=replace(settings.losses, warped=1.0),
        augmentation=replace(settings.augmentation, qualities=(22, 58)),
    )


def _refuse_a_run(out: Path) -> None:
    """Raise `ConfigError` where a folder holds another run or network."""
    for name in _RUN:
        if (out / name).exists():
            raise ConfigError(
                f"{out} holds a {name} already: choose another --out, go on with --resume, or "
                "start anew with --force, which replaces it"
            )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"--devices is `auto` or a number of 1 or more, not {text!r}")
    return int(text)


def _prepare(args: argparse.Namespace, cache: Path) -> None:
    from ..models.cores import cores
    from ..models.training.prepare import prepare
    from ..sender.tracking.footage import TrackedFootage

    with Stage(f"preparing {args.data}", "clip", quiet=args.quiet) as stage:
        jobs = args.threads or cores()
        for done, total, problem in prepare(
            args.data, cache, TrackedFootage, people=args.people, every=args.every, jobs=jobs
        ):
            stage.show(done, total)
            if problem:
                stage.write(f"left out: {problem}")


def _network(args: argparse.Namespace, start: Any) -> Any:
    """The network of `--size`, or else that of the start, with the changes of `--set`."""
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
                f"--set {item!r} is no setting of a network: write NAME=VALUE, with true or "
                f"false, or a list with commas; the names are {', '.join(sorted(kinds))}"
            ) from None
    return base.with_changes(**changes)
