"""`facewire decode`: .fwire to video."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..codec.whole_file import whole_file
from . import names
from .kinds import must_be_stream

if TYPE_CHECKING:
    from ..codec.stream import StreamHeader
    from ..receiver.files.player import DecodeReport
    from ..receiver.files.side_by_side import TimedFrames

__all__ = ["add_decoder_options", "add_parser", "decoded", "run"]

_EPILOG = """\
examples:
  facewire decode talk.fwire back.mp4
  facewire decode talk.fwire both.mp4 --side-by-side talk.mp4    what was sent on the left
  facewire decode talk.fwire - | ffplay -                        into another program
  facewire decode talk.fwire back.mp4 --force                    replaces back.mp4
  facewire decode talk.fwire back.mp4 --backend torch            needs the extra [torch]
  facewire decode talk.fwire back.mp4 --identity me.fwid         if it was not sent in the stream

OUT ends in .mp4, .m4v, .mov or .mkv and holds H.264 with AAC sound; `-` and pipes receive
Matroska. It appears only when it is complete, and a file that exists is replaced only with
--force. IN may be `-` or a pipe.

Every picture carries a small "AI" badge and the file a comment, which say that the face was
generated. Where the stream shows somebody else's portrait, the comment names the consent, and the
badge cannot be left out; nor where nobody was before a camera (facewire speak).
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire decode`."""
    parser = subparsers.add_parser(
        "decode",
        help=".fwire to video",
        description="Turn a .fwire stream into a video with its sound.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN.fwire")
    parser.add_argument("output", metavar="OUT.mp4")
    names.add_force(parser)
    parser.add_argument(
        "--side-by-side",
        metavar="IN.mp4",
        help="show to the left what was sent of this video, the original: the square about the "
        "face, found as `encode` does",
    )
    parser.add_argument(
        "--side-by-side-scene",
        action="store_true",
        help="with --side-by-side: show the whole picture of the original instead of the square",
    )
    add_decoder_options(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress and no summary")


def add_decoder_options(parser: argparse.ArgumentParser) -> None:
    """Add what `decode` and `play` have in common: how the network is run."""
    add = parser.add_argument
    add(
        "--backend",
        choices=("openvino", "torch"),
        default="openvino",
        help="the library that runs the network (default: %(default)s)",
    )
    add(
        "--precision",
        choices=("auto", "bf16", "int8", "float32"),
        default="auto",
        help="numbers that the network computes in (default: %(default)s; "
        "`facewire info --runtime` shows what this machine has)",
    )
    add("--no-badge", action="store_true", help='leave out the "AI" badge (the comment stays)')
    add("--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)")
    add(
        "--lookahead-ms",
        type=int,
        default=100,
        metavar="MS",
        help="how much of the sound after a frame may shape that frame, 0 to 100 "
        "(default: %(default)s)",
    )
    add(
        "--weights",
        type=Path,
        metavar="DIR",
        help="use the trained network in this folder instead of the one that facewire brings",
    )
    add(
        "--identity",
        type=Path,
        metavar="ME.fwid",
        help="what `facewire enroll` learned of the person; needed only if the stream lacks it",
    )


def run(args: argparse.Namespace) -> int:
    """Decode one file."""
    from ..receiver.files.writer import FORMATS

    with ExitStack() as stack:
        source = stack.enter_context(names.readable(args.input))
        original = None
        if args.side_by_side is not None:
            original = stack.enter_context(names.readable(args.side_by_side))
        inputs = [source] if original is None else [source, original]
        endings = tuple(FORMATS)
        names.check_output(args.output, force=args.force, endings=endings, inputs=inputs)
        must_be_stream(source, args.input)
        beside = None
        if original is not None:
            beside = stack.enter_context(_beside(original, scene=args.side_by_side_scene))
        with _video_file(args.output) as target:
            report = decoded(source, target, args, beside, force=args.force)
    if not args.quiet:
        shown = "standard output" if args.output == names.STANDARD else args.output
        print(_summary(report, shown), file=sys.stderr)
    return 0


def decoded(
    source: Path,
    target: Path,
    args: argparse.Namespace,
    original: TimedFrames | None = None,
    *,
    force: bool = False,
) -> DecodeReport:
    """Decode with the options of `add_decoder_options`, show progress, and say what was lost."""
    from ..codec.identity import read_identity
    from ..receiver.config import DecoderConfig
    from ..receiver.files.player import decode_file, file_config
    from .stage import Stage

    config = file_config(
        DecoderConfig(
            backend=args.backend,
            precision=args.precision,
            threads=args.threads,
            lookahead_ms=args.lookahead_ms,
            weights=args.weights,
            identity=read_identity(args.identity) if args.identity else None,
        ),
        badge=not args.no_badge,
    )
    loading = "loading the network"
    with Stage(f"decoding {source.name}", "frame", quiet=args.quiet, loading=loading) as stage:
        report = decode_file(
            source,
            target,
            config=config,
            side_by_side=original,
            progress=stage.show,
            overwrite=force,
        )
    if args.no_badge and report.header.keeps_badge:
        print(f"facewire: the badge stays: {_why_badge(report.header)}", file=sys.stderr)
    for line in _warnings(report):
        print(f"facewire: {line}", file=sys.stderr)
    return report


def _why_badge(header: StreamHeader) -> str:
    if header.performed:
        return "nobody was before a camera, and a program moves a photograph with the sound"
    return f"the stream shows a portrait that another person moves (consent: {header.portrait})"


@contextmanager
def _beside(original: Path, *, scene: bool) -> Iterator[TimedFrames]:
    """Pictures of the original, read as `encode` reads them; the whole ones, or what was sent."""
    from ..sender.tracking.ahead import read_ahead
    from ..sender.tracking.capture import Capture
    from ..sender.tracking.squares import sent_squares

    capture = Capture(original)
    with closing(read_ahead(capture.frames() if scene else sent_squares(capture), 4)) as frames:
        yield frames


@contextmanager
def _video_file(name: str) -> Iterator[Path]:
    """A file to decode into; for a pipe or `-` a temporary one, which is sent there at the end.

    A video file is finished by going back to its beginning, which no pipe can do.
    """
    if not names.is_pipe(name):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="facewire-") as folder:
        path = Path(folder) / "decoded.mkv"
        yield path
        with path.open("rb") as video:
            if name == names.STANDARD:
                shutil.copyfileobj(video, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            else:
                with whole_file(name) as pipe:
                    shutil.copyfileobj(video, pipe)


def _summary(report: DecodeReport, file: str) -> str:
    plural = "" if report.frames == 1 else "s"
    text = f"{file}: {report.frames} frame{plural}, {report.seconds:.1f} s"
    return f"{text}; {report.statistics.concealed} of the frames were made up"


def _warnings(report: DecodeReport) -> list[str]:
    """Sentences about what was lost, or never sent."""
    lines = []
    if report.header.mouth_rests:
        lines.append(
            f"the stream has no mouth (profile {report.header.profile}) and no sound that could "
            "move it: the mouth rests as in the keyframe"
        )
    if report.truncated:
        lines.append("the stream is cut off; it was decoded up to the cut")
    if report.statistics.wants_identity:
        lines.append("the stream's identity is incomplete; the face is shown without it")
    if report.joints:
        lines.append(
            f"in {report.joints} place{'s' * (report.joints != 1)} the video leaves out a long "
            "pause or goes on with another stream"
        )
    damaged = report.damaged + report.statistics.damaged
    if damaged:
        lines.append(f"{damaged} damaged packet{'s' * (damaged != 1)} skipped")
    if report.statistics.concealed:
        lines.append(
            f"{report.statistics.concealed} of {report.frames} frames were made up: "
            "what they need was lost"
        )
    return lines
