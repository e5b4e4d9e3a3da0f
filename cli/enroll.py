"""`facewire enroll`: a minute of video of one person to an identity."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ..codec.errors import MissingExtraError
from . import names
from .kinds import must_be_video
from .stage import Stage

if TYPE_CHECKING:
    from ..models.apb2face.habits import LearnedHabits
    from ..models.training.cache import CachedClip
    from ..models.training.enroll import Enrolled

__all__ = ["add_parser", "prepared", "run"]

_EPILOG = """\
examples:
  facewire enroll me.mp4 --out me.fwid                     at most 8 minutes on a CPU
  facewire encode call.mp4 call.fwire --identity me.fwid   sends it once, at the start
  facewire decode call.fwire back.mp4 --identity me.fwid   if it was not sent with the stream

VIDEO shows one person who looks at the camera, turns the head, talks and blinks, in the light that
calls will have. A minute is good; ten seconds are needed. The first minute of each video is used,
up to its first cut. All videos must show the same person.

The last fifth of the footage is kept apart: it is not learned from, and the figures that are
printed, without and with the identity, are measured on it. If the identity does not show the
person better there, nothing is written. If somebody talks in the video, the file also says how
this mouth moves with the voice. The file has at most 300 kB and works only with the
weights that it was made with.

A .fwid file is a model of a person's face. Make one only with that person's consent, keep it as
you would keep a password, and delete it when it is no longer needed (docs/identity.md).
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire enroll`."""
    parser = subparsers.add_parser(
        "enroll",
        help="fit the network to one person",
        description="Fine-tune a small part of the network on one person, and write a file of\n"
        "at most 300 kB (needs the extra [encode,torch]).",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("videos", metavar="VIDEO", nargs="+")
    add("--out", metavar="ME.fwid", required=True, help="the file to write")
    names.add_force(parser)
    add(
        "--minutes",
        type=float,
        default=8.0,
        help="stop learning after so many minutes (default: %(default)g)",
    )
    add("--steps", type=int, default=1200, help="stop after so many steps (default: %(default)s)")
    add("--learning-rate", type=float, default=1e-3, help="default: %(default)g")
    add("--seed", type=int, default=0, help="of the samples (default: %(default)s)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    add(
        "--weights",
        type=Path,
        metavar="DIR",
        help="use the trained network in this folder instead of the one that facewire brings",
    )
    add("--quiet", action="store_true", help="show no progress and no figures")


def run(args: argparse.Namespace) -> int:
    """Prepare the videos, learn, and write the identity."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("enrolling a person", "encode,torch") from error
    from ..codec.identity import write_identity
    from ..models.apb2face.habits import learn_habits
    from ..models.apb2face.talks import talk_of
    from ..models.training.enroll import EnrollConfig, enroll
    from ..models.weights import load_card

    settings = EnrollConfig(
        minutes=args.minutes,
        steps=args.steps,
        learning_rate=args.learning_rate,
        seed=args.seed,
        threads=args.threads,
    )
    with ExitStack() as stack:
        videos = [stack.enter_context(names.readable(name)) for name in args.videos]
        names.check_output(args.out, force=args.force, endings=(".fwid",), inputs=videos)
        for video, name in zip(videos, args.videos, strict=True):
            must_be_video(video, name)
        card = load_card(args.weights or "s")
        with Stage("preparing", "video", quiet=args.quiet) as stage:
            clips = prepared(videos, int(card.config["size"]), stage.show)
    with Stage("learning", "%", quiet=args.quiet) as stage:
        talks = [talk for clip in clips if (talk := talk_of(clip)) is not None]
        mouth = learn_habits(talks)
        habits = None if mouth is None else mouth.habits
        result = enroll(card, clips, settings, mouth=habits, progress=stage.show)
    write_identity(result.identity, Path(args.out), overwrite=args.force)
    if not args.quiet:
        print(_summary(result, mouth, args.out), file=sys.stderr)
    return 0


def prepared(
    videos: Sequence[Path], size: int, progress: Callable[[int, int], None] | None = None
) -> list[CachedClip]:
    """Prepare videos as for training, with every third frame as a picture.

    Args:
        videos: files that show one person.
        size: side of the pictures in pixels.
        progress: called with the number of videos done and their number in all.
    """
    from ..models.avfr.segmenter import Segmenter
    from ..models.training.prepare import prepare_clip
    from ..sender.tracking.footage import TrackedFootage

    clips = []
    segmenter = Segmenter()
    for index, path in enumerate(videos):
        clips.append(prepare_clip(TrackedFootage(path, size), f"{index}", "me", segmenter, 3))
        if progress is not None:
            progress(len(clips), len(videos))
    return clips


def _summary(result: Enrolled, mouth: LearnedHabits | None, path: str) -> str:
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
    if mouth is not None:
        lines.append(f"{'mouth by sound (higher)':<24}{mouth.before:>10.4f}{mouth.after:>10.4f}")
    return "\n".join(lines)
