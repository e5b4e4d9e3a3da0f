"""`facewire encode`: video to .fwire."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ..sender.config import KeyframeInterval
    from ..sender.files import EncodeReport

__all__ = ["add_parser", "run"]

_EPILOG = """\
examples:
  facewire encode talk.mp4 talk.fwire                        pictures of 3 kB where they pay, Opus
  facewire encode talk.mp4 talk.fwire --kbps 20              all in all 20 kbit/s
  facewire encode talk.mp4 talk.fwire --bpp 0.014            the same in bits a pixel
  facewire encode talk.mp4 talk.fwire --profile fp16         960 bits a frame, as in the paper
  facewire encode talk.mp4 talk.fwire --keyframe-interval 2  so that one can join or seek
  facewire encode talk.mp4 talk.fwire --audio-kbps 0         without sound
  facewire encode talk.mp4 talk.fwire --identity me.fwid     fitted to me (facewire enroll)

IN is any video with one person in it: any size, any frame rate, with or without sound. The face is
cropped to a steady square of 256x256. Where the face is away, the last picture of it stands; of
two people the larger is followed.

What it costs: motion takes about 50 bits a frame (1.3 kbit/s; --profile fp16: 960 bits, 24
kbit/s), sound about 10 kbit/s and its headers 2. With --bpp or --kbps the rest goes into reference
pictures, planned over ten seconds each, so that the total is what was asked for; too low a rate is
refused with the lowest that will do. Without a rate a picture is sent where it is worth its bytes.
An identity comes on top, once. OUT appears only when it is complete.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire encode`."""
    parser = subparsers.add_parser(
        "encode",
        help="video to .fwire",
        description="Turn a video of a talking person into a .fwire stream: pictures where they "
        "pay, ten keypoints a frame, and the sound.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN.mp4", type=Path)
    parser.add_argument("output", metavar="OUT.fwire", type=Path)
    _add_rate(parser.add_argument_group("bits"))
    _add_references(parser.add_argument_group("references"))
    _add_face(parser.add_argument_group("face"))
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no summary")


def _add_rate(group: argparse._ArgumentGroup) -> None:
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "--bpp",
        type=_positive,
        metavar="X",
        help="bits a pixel of everything: motion, keyframes, sound, headers",
    )
    rate.add_argument("--kbps", type=_positive, metavar="X", help="the same in 1000 bits a second")
    rate.add_argument(
        "--keyframe-bytes",
        type=int,
        default=3000,
        metavar="N",
        help="size of a reference's picture where no rate is set (default: %(default)s)",
    )
    group.add_argument(
        "--profile",
        choices=("fp16", "entropy"),
        default="entropy",
        help="how motion is coded: entropy, about 50 bits a frame, or fp16, exactly 960 "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--audio-kbps",
        type=_number,
        default=10.0,
        metavar="X",
        help="Opus rate; wideband speech begins at 10, 0 leaves the sound out "
        "(default: %(default)g)",
    )


def _add_references(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--references",
        type=int,
        default=4,
        metavar="N",
        help="pictures that the receiver keeps to animate from, 1 to 4; 1: keyframes alone "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--plan-ahead",
        "--lookahead",
        type=_or_auto,
        default="auto",
        metavar="S|auto",
        help="seconds planned together, up to 30; 0 encodes as a call does, frame by frame "
        "(default: %(default)s, 10)",
    )
    group.add_argument(
        "--keyframe-interval",
        type=_interval,
        default="auto",
        metavar="S|auto",
        help="seconds between keyframes at which one can join or seek; auto: the first frame, "
        "and where the scene cuts or somebody else is followed (default: %(default)s)",
    )


def _add_face(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--no-crop",
        action="store_true",
        help="IN is a square crop of the head already: take the frames whole",
    )
    steady = group.add_mutually_exclusive_group()
    steady.add_argument(
        "--smoothing",
        type=_or_auto,
        default="auto",
        metavar="X|auto",
        help="against the tracker's jitter: 0 to 10, more is steadier and later "
        "(auto: 1 with profile entropy, 0 with fp16; default: %(default)s)",
    )
    steady.add_argument(
        "--no-smoothing",
        dest="smoothing",
        action="store_const",
        const=0.0,
        help="send the face as the tracker sees it",
    )
    group.add_argument(
        "--weights", type=Path, metavar="DIR", help="a trained network in place of the shipped one"
    )
    group.add_argument(
        "--identity",
        type=Path,
        metavar="ME.fwid",
        help="what `facewire enroll` learned of the person; sent once, at the start",
    )


def run(args: argparse.Namespace) -> int:
    """Encode one file."""
    from tqdm import tqdm

    from ..codec.identity import read_identity
    from ..sender.config import EncoderConfig
    from ..sender.files import encode_file

    config = EncoderConfig(
        profile=args.profile,
        bpp=args.bpp,
        kbps=args.kbps,
        audio_kbps=args.audio_kbps,
        keyframe_interval=args.keyframe_interval,
        keyframe_bytes=args.keyframe_bytes,
        references=args.references,
        plan_ahead_s=args.plan_ahead,
        smoothing=args.smoothing,
        crop=not args.no_crop,
        model=str(args.weights or "s"),
        identity=read_identity(args.identity) if args.identity else None,
    )
    # disable=None: no bar where stderr is no terminal.
    with tqdm(unit="frame", desc="encoding", disable=True if args.quiet else None) as bar:

        def show(done: int, expected: int) -> None:
            bar.total = expected
            bar.update(done - bar.n)

        report = encode_file(args.input, args.output, config, show)
    if not args.quiet:
        size = config.identity.file_bytes if config.identity else 0
        print(_summary(report, args.output, size), file=sys.stderr)
    return 0


def _summary(report: EncodeReport, output: Path, identity_bytes: int) -> str:
    plural = "" if report.keyframes == 1 else "s"
    text = (
        f"{output}: {report.frames} frames, {report.keyframes} keyframe{plural}, "
        f"{report.kbps:.1f} kbit/s, {report.bpp:.4f} bits a pixel"
    )
    if report.warnings and report.asked_kbps is not None:
        text += f" ({report.asked_kbps:g} kbit/s were asked for)"
    if identity_bytes:
        text += f"; of them an identity of {identity_bytes} bytes, sent once"
    if report.repeated:
        text += f"; no face in {report.repeated} frames, which repeat the one before"
    return text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return number


def _positive(text: str) -> float:
    number = _number(text)
    if number == 0:
        raise argparse.ArgumentTypeError("a rate is more than 0")
    return number


def _or_auto(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else _number(text)


def _interval(text: str) -> KeyframeInterval:
    return "auto" if text == "auto" else _positive(text)
