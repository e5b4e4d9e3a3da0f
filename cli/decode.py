"""`facewire decode`: .fwire to video."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..receiver.files.player import DecodeReport

__all__ = ["add_parser", "run", "warnings"]

_EPILOG = """\
examples:
  facewire decode talk.fwire back.mp4
  facewire decode talk.fwire both.mp4 --side-by-side talk.mp4    the original on the left
  facewire decode talk.fwire back.mp4 --backend torch            needs facewire[torch]
  facewire decode talk.fwire back.mp4 --identity me.fwid         an identity from beside the stream

OUT is H.264 with AAC sound in .mp4, .m4v, .mov or .mkv. It appears only when it is whole.
The picture carries a small "AI" badge, and the file a comment: what you see was generated.
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
    parser.add_argument("input", metavar="IN.fwire", type=Path)
    parser.add_argument("output", metavar="OUT.mp4", type=Path)
    parser.add_argument(
        "--backend",
        choices=("openvino", "torch"),
        default="openvino",
        help="what runs the network (default: %(default)s)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "bf16", "int8", "float32"),
        default="auto",
        help="its arithmetic (default: %(default)s, see `facewire info --runtime`)",
    )
    parser.add_argument(
        "--side-by-side",
        metavar="IN.mp4",
        type=Path,
        help="show this video, the original, to the left",
    )
    parser.add_argument(
        "--no-badge", action="store_true", help='leave out the "AI" badge (the comment stays)'
    )
    parser.add_argument(
        "--threads", type=int, default=0, metavar="N", help="CPU threads (default: all)"
    )
    parser.add_argument(
        "--lookahead-ms",
        type=int,
        default=100,
        metavar="MS",
        help="sound after a frame that it may hear, 0 to 100 (default: %(default)s)",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="a trained network in place of the shipped one"
    )
    parser.add_argument(
        "--identity",
        type=Path,
        metavar="ME.fwid",
        help="what `facewire enroll` learned of the person; one in the stream needs no option",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Decode one file."""
    from tqdm import tqdm

    from ..codec.identity import read_identity
    from ..receiver.config import DecoderConfig
    from ..receiver.files.player import decode_file, file_config

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
    # disable=None: no bar where stderr is no terminal.
    with tqdm(desc="decoding", unit="frame", disable=True if args.quiet else None) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = decode_file(
            args.input,
            args.output,
            config=config,
            side_by_side=args.side_by_side,
            progress=progress,
        )
        bar.update(report.frames - bar.n)
    for line in warnings(report):
        print(f"facewire: {line}", file=sys.stderr)
    return 0


def warnings(report: DecodeReport) -> list[str]:
    """Sentences about what was lost; none for a whole stream."""
    lines = []
    if report.truncated:
        lines.append("the stream is cut off; it was decoded up to the cut")
    if report.statistics.wants_identity:
        lines.append("the stream's identity is not whole; the face is shown without it")
    damaged = report.damaged + report.statistics.damaged
    if damaged:
        lines.append(f"{damaged} damaged packet{'s' * (damaged != 1)} skipped")
    if report.statistics.concealed:
        lines.append(f"{report.statistics.concealed} of {report.frames} frames were made up")
    return lines
