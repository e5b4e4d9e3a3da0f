"""`facewire encode`: video to .fwire."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from . import names
from .kinds import must_be_video

if TYPE_CHECKING:
    from ..sender.config import EncoderConfig, KeyframeInterval
    from ..sender.files import EncodeReport
    from ..sender.photo import Portrait
    from ..sender.tracking.follow import FaceChoice

__all__ = ["add_parser", "add_portrait", "portrait_of", "positive", "run"]

_EPILOG = """\
examples:
  facewire encode talk.mp4 talk.fwire                        sends what is worth its bits
  facewire encode talk.mp4 talk.fwire --kbps 20              20 kbit/s, everything included
  facewire encode talk.mp4 talk.fwire --bpp 0.012            about the same, in bits a pixel
  facewire encode talk.mp4 talk.fwire --profile fp16         960 bits a frame, as in the paper
  facewire encode talk.mp4 talk.fwire --profile pose         about 12 bits a frame, no mouth
  facewire encode talk.mp4 talk.fwire --keyframe-interval 2  so that viewers can join or seek
  facewire encode talk.mp4 talk.fwire --audio-kbps 0         without sound
  facewire encode talk.mp4 talk.fwire --identity me.fwid     for one person (facewire enroll)
  facewire encode talk.mp4 talk.fwire --portrait me.jpg      another picture of yourself
  facewire encode talk.mp4 - | ssh host 'cat > talk.fwire'   through a pipe

IN is any video with one person in it: any size, any frame rate, with or without sound, or `-` or a
pipe. The face is cropped to a steady square of 256x256 pixels. While no face is seen, the last
picture stands still; of two people the larger one is followed, unless --face says otherwise.

What it costs: motion takes 26 to 58 bits a frame, as the rate allows (at 25 frames a second 0.7 to
1.5 kbit/s; with --profile fp16 it is 960 bits a frame, or 24 kbit/s). Sound takes about 10 kbit/s.
With --bpp or --kbps, the rest is spent on reference pictures, planned ten seconds at a time so that
the total is what was asked for. A rate that is too low is refused, and the lowest possible one is
named. Without a rate, a picture is sent whenever it improves the result by more than its bytes
cost. An identity is sent once and comes on top.

With --portrait, PHOTO is shown in place of the person in IN, and moves as that person does. It is
for another picture of yourself: facewire compares the two faces (by dlib, of the extra [eval]), and
refuses another person's unless --portrait-consent says who agreed and when. That line is written
into OUT, and whoever decodes it cannot leave the "AI" badge out. PHOTO should show one face from
the front, lips closed and eyes open, in 256 pixels or more. Nothing of the pictures of IN is sent.

OUT ends in .fwire, or is `-` or a pipe. A file appears only when it is complete, and one that
exists is replaced only with --force.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire encode`."""
    parser = subparsers.add_parser(
        "encode",
        help="video to .fwire",
        description="Turn a video of a talking person into a .fwire stream: a few pictures,\n"
        "the motion of ten keypoints in every frame, and the sound.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN.mp4")
    parser.add_argument("output", metavar="OUT.fwire")
    names.add_force(parser)
    _add_rate(parser.add_argument_group("bits"))
    _add_references(parser.add_argument_group("references"))
    _add_face(parser.add_argument_group("face"))
    add_portrait(parser.add_argument_group("portrait"))
    parser.add_argument("--quiet", action="store_true", help="show no progress and no summary")


def _add_rate(group: argparse._ArgumentGroup) -> None:
    rate = group.add_mutually_exclusive_group()
    rate.add_argument(
        "--bpp",
        type=positive,
        metavar="X",
        help="bits a pixel of everything together: motion, pictures, sound and headers",
    )
    rate.add_argument("--kbps", type=positive, metavar="X", help="the same, in 1000 bits a second")
    rate.add_argument(
        "--keyframe-bytes",
        type=int,
        default=3000,
        metavar="N",
        help="bytes of each picture, if no rate is set (default: %(default)s)",
    )
    group.add_argument(
        "--profile",
        choices=("fp16", "entropy", "pose", "pose-fp16"),
        default="entropy",
        help="how motion is coded: entropy, 26 to 58 bits a frame; fp16, exactly 960; pose, about "
        "15, which tell how the head is turned and how open the eyes are, while the receiver "
        "moves the mouth with the sound; or pose-fp16, exactly 80 (default: %(default)s)",
    )
    group.add_argument(
        "--audio-kbps",
        type=_number,
        default=10.0,
        metavar="X",
        help="rate of the sound (Opus): from 10 on it is wideband, 0 leaves it out "
        "(default: %(default)g)",
    )
    group.add_argument(
        "--audio-track",
        type=int,
        metavar="N",
        help="send the Nth sound track, counted from 1 (default: the first that is not silent)",
    )


def _add_references(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--references",
        type=int,
        default=4,
        metavar="N",
        help="how many pictures the receiver keeps to animate from, 1 to 4; with 1, every picture "
        "is a keyframe (default: %(default)s)",
    )
    group.add_argument(
        "--plan-ahead",
        type=_or_auto,
        default="auto",
        metavar="S|auto",
        help="seconds that are planned together, up to 30; 0 encodes frame by frame, as a call "
        "does (default: %(default)s, 10)",
    )
    group.add_argument(
        "--lookahead",  # its old name
        dest="plan_ahead",
        type=_or_auto,
        default=argparse.SUPPRESS,
        help=argparse.SUPPRESS,
    )
    group.add_argument(
        "--base",
        action="store_true",
        help="also send a base layer, if the rate is high enough: a coarse ordinary video of the "
        "face, which the receiver combines with the animated pictures. From 18 kbit/s without "
        "sound on, most videos look better with it",
    )
    group.add_argument(
        "--keyframe-interval",
        type=_interval,
        default="auto",
        metavar="S|auto",
        help="seconds between the keyframes at which viewers can join or seek; auto: at the first "
        "frame, at cuts, and when another person is followed (default: %(default)s)",
    )


def _add_face(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--no-crop",
        action="store_true",
        help="IN is already a square crop of the head: use the whole frames",
    )
    group.add_argument(
        "--face",
        type=_face,
        default="largest",
        metavar="largest|centre|moving|N",
        help="which of several faces is sent: the largest, the one nearest to the middle, one that "
        "moves (not a portrait on a slide), or the N-th from the left (default: %(default)s)",
    )
    group.add_argument(
        "--tracker",
        choices=("openvino", "mediapipe"),
        default="openvino",
        help="what finds the face: facewire's own tracker, or MediaPipe's, for comparison. Both "
        "give the same landmarks. WARNING: newer releases of mediapipe report to Google while "
        "they track (default: %(default)s)",
    )
    steady = group.add_mutually_exclusive_group()
    steady.add_argument(
        "--smoothing",
        type=_or_auto,
        default="auto",
        metavar="X|auto",
        help="how much jitter of the face tracker is smoothed away, 0 to 10: more is steadier but "
        "lags (auto: 1 with profiles entropy and pose, else 0; default: %(default)s)",
    )
    steady.add_argument(
        "--no-smoothing",
        dest="smoothing",
        action="store_const",
        const=0.0,
        help="do not smooth, as --smoothing 0",
    )
    group.add_argument(
        "--weights",
        type=Path,
        metavar="DIR",
        help="use the trained network in this folder instead of the one that facewire brings",
    )
    group.add_argument(
        "--identity",
        type=Path,
        metavar="ME.fwid",
        help="what `facewire enroll` learned of the person; sent once, at the start",
    )


def add_portrait(group: argparse._ArgumentGroup) -> None:
    """Add the options of a portrait, which `encode` and `call` have in common."""
    group.add_argument(
        "--portrait",
        type=Path,
        metavar="PHOTO",
        help="show this picture of yourself, moved as you move, and nothing of the camera's",
    )
    group.add_argument(
        "--portrait-consent",
        metavar="NAME, DATE",
        help="the portrait is somebody else's, who agreed: who and when. It is sent with the "
        "stream, and the receiver's badge stays",
    )


def portrait_of(args: argparse.Namespace) -> Portrait | None:
    """The portrait that was asked for. Raises `ConfigError`, and as `read_portrait`."""
    from ..codec.errors import ConfigError
    from ..sender.photo import read_portrait

    speaks = getattr(args, "speak", None)  # of a call
    if args.portrait is not None and speaks is not None:
        raise ConfigError("--portrait and --speak name two pictures for one face: give one of them")
    photo = args.portrait if speaks is None else speaks
    if photo is None:
        if args.portrait_consent is not None:
            raise ConfigError("--portrait-consent goes with --portrait PHOTO")
        return None
    return read_portrait(photo, args.portrait_consent)


def run(args: argparse.Namespace) -> int:
    """Encode one file."""
    from ..codec.identity import read_identity
    from ..sender.config import EncoderConfig

    config = EncoderConfig(
        profile=args.profile,
        bpp=args.bpp,
        kbps=args.kbps,
        audio_kbps=args.audio_kbps,
        keyframe_interval=args.keyframe_interval,
        keyframe_bytes=args.keyframe_bytes,
        references=args.references,
        base="calls" if args.base and args.plan_ahead == 0 else args.base,
        plan_ahead_s=args.plan_ahead,
        smoothing=args.smoothing,
        crop=not args.no_crop,
        face=args.face,
        tracker=args.tracker,
        model=str(args.weights or "s"),
        identity=read_identity(args.identity) if args.identity else None,
        portrait=portrait_of(args),
    )
    with names.readable(args.input) as source:
        names.check_output(args.output, force=args.force, endings=(".fwire",), inputs=[source])
        must_be_video(source, args.input)
        report = _encode(source, config, args)
    if not args.quiet:
        size = config.identity.file_bytes if config.identity else 0
        print(_summary(report, args.output, size), file=sys.stderr)
    return 0


def _encode(source: Path, config: EncoderConfig, args: argparse.Namespace) -> EncodeReport:
    from ..sender.files import encode_file, encode_to
    from ..sender.tracking.capture import Capture
    from .stage import Stage

    loading = "loading the networks"
    track = args.audio_track
    with Stage(f"encoding {source.name}", "frame", quiet=args.quiet, loading=loading) as stage:
        if args.output != names.STANDARD:
            return encode_file(
                source,
                Path(args.output),
                config,
                stage.show,
                overwrite=args.force,
                audio_track=track,
            )
        with Capture(source, track) as capture:
            report = encode_to(capture, sys.stdout.buffer, config, stage.show)
        sys.stdout.buffer.flush()
        return report


def _summary(report: EncodeReport, output: str, identity_bytes: int) -> str:
    frames, keyframes = ("" if n == 1 else "s" for n in (report.frames, report.keyframes))
    name = "standard output" if output == names.STANDARD else output
    text = (
        f"{name}: {report.frames} frame{frames}, {report.keyframes} keyframe{keyframes}, "
        f"{report.kbps:.1f} kbit/s, {report.bpp:.4f} bits a pixel"
    )
    if report.warnings and report.asked_kbps is not None:
        text += f" ({report.asked_kbps:g} kbit/s were asked for)"
    if identity_bytes:
        text += f"; this includes an identity of {identity_bytes} bytes, sent once"
    if report.repeated:
        text += f"; {report.repeated} frames without a face repeat the one before"
    if report.hdr:
        text += f"; the video is HDR ({report.hdr}) and was mapped to standard range"
    return text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return number


def positive(text: str) -> float:
    """A number above 0, for `argparse`."""
    number = _number(text)
    if number == 0:
        raise argparse.ArgumentTypeError("it must be more than 0")
    return number


def _or_auto(text: str) -> float | Literal["auto"]:
    return "auto" if text == "auto" else _number(text)


def _face(text: str) -> FaceChoice:
    if text in ("largest", "centre", "moving"):
        return cast("FaceChoice", text)
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text} is not largest, centre, moving or a number")
    return int(text)


def _interval(text: str) -> KeyframeInterval:
    return "auto" if text == "auto" else positive(text)
