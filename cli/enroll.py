"""`facewire enroll`: a minute of one person to what the network learns of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..codec.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from ..models.training.cache import CachedClip
    from ..models.training.enroll import Enrolled

__all__ = ["add_parser", "prepared", "run"]

_EPILOG = """\
examples:
  facewire enroll me.mp4 --out me.fwid                     at most 8 minutes on a CPU
  facewire encode call.mp4 call.fwire --identity me.fwid   sends it once, at the start
  facewire encode call.mp4 call.fwire
  facewire decode call.fwire back.mp4 --identity me.fwid   or: as a file beside the stream

VIDEO shows one person, from the front and turning, talking, blinking, in the light of the calls:
a minute is good, ten seconds the least. Of each video the first minute is used, up to the first
cut. More than one may be given; all must show the same person.

The last fifth is not learned from: the figures that are printed are measured on it, without and
with the identity. If it shows the person no better, nothing is written. The result, at most
300 kB, belongs to the weights that it was made with.

A .fwid file is a model of a person's face. Make one only with that person's consent, keep it as
you would keep a password, and delete it when it is no longer needed (docs/identity.md).
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire enroll`."""
    parser = subparsers.add_parser(
        "enroll",
        help="fit the network to one person",
        description="Fine-tune a small part of the network on one person, into a file of at most "
        "300 kB (extra [encode,torch]).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("videos", metavar="VIDEO", type=Path, nargs="+")
    add("--out", metavar="ME.fwid", type=Path, required=True, help="the file to write")
    add("--minutes", type=float, default=8.0, help="longest it may learn (default: %(default)g)")
    add("--steps", type=int, default=1200, help="most steps (default: %(default)s)")
    add("--learning-rate", type=float, default=1e-3, help="default: %(default)g")
    add("--seed", type=int, default=0)
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    add("--weights", type=Path, metavar="DIR", help="a trained network in place of the shipped one")
    add("--quiet", action="store_true", help="no progress bar, no figures")


def run(args: argparse.Namespace) -> int:
    """Prepare the videos, learn, write."""
    try:
        import mediapipe  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("enrolling a person", "encode,torch") from error
    from ..codec.identity import write_identity
    from ..models.training.enroll import EnrollConfig, enroll
    from ..models.weights import load_card

    settings = EnrollConfig(
        minutes=args.minutes,
        steps=args.steps,
        learning_rate=args.learning_rate,
        seed=args.seed,
        threads=args.threads,
    )
    if not args.out.absolute().parent.is_dir():
        raise ConfigError(f"the folder {args.out.absolute().parent} does not exist")
    card = load_card(args.weights or "s")
    clips = prepared(args.videos, int(card.config["size"]))
    bar = not args.quiet and sys.stderr.isatty()
    result = enroll(card, clips, settings, progress=bar)
    write_identity(result.identity, args.out)
    if not args.quiet:
        print(_summary(result, args.out), file=sys.stderr)
    return 0


def prepared(videos: list[Path], size: int) -> list[CachedClip]:
    """Each third frame of the videos as a picture, as in training."""
    from ..models.avfr.segmenter import Segmenter
    from ..models.training.prepare import prepare_clip
    from ..sender.tracking.footage import TrackedFootage

    segmenter = Segmenter()
    try:
        return [
            prepare_clip(TrackedFootage(path, size), f"{index}", "me", segmenter, 3)
            for index, path in enumerate(videos)
        ]
    finally:
        segmenter.close()


def _summary(result: Enrolled, path: Path) -> str:
    identity = result.identity
    lines = [
        f"{path}: {identity.file_bytes} bytes, for {identity.model}; {result.steps} steps",
        f"{'held-out footage':<24}{'before':>10}{'after':>10}",
    ]
    for name, words in (
        ("net_face_lpips", "face LPIPS (lower)"),
        ("net_lpips", "picture LPIPS (lower)"),
        ("net_face_psnr", "face PSNR, dB (higher)"),
    ):
        lines.append(f"{words:<24}{result.before[name]:>10.4f}{result.after[name]:>10.4f}")
    return "\n".join(lines)
