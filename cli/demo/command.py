"""`facewire demo`: the whole chain without any input: a clip, a stream, a video, the figures."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["add_parser", "run"]

_EPILOG = """\
It runs the same commands that you would:

  facewire encode DIR/clip.mp4 DIR/clip.fwire
  facewire info   DIR/clip.fwire
  facewire decode DIR/clip.fwire DIR/side-by-side.mp4 --side-by-side DIR/clip.mp4
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="make a clip, encode it, decode it, show the figures; needs no input",
        description="Make a short clip of a talking face, send it through facewire, and show "
        "what came out and what it cost.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("facewire-demo"),
        help="folder for the files (default: ./%(default)s)",
    )
    parser.add_argument("--backend", choices=("openvino", "torch"), default="openvino")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")


def run(args: argparse.Namespace) -> int:
    """Make, encode, decode, and print."""
    from ..info import describe, table
    from .clip import make_demo_clip

    args.out.mkdir(parents=True, exist_ok=True)
    clip, stream = args.out / "clip.mp4", args.out / "clip.fwire"
    video = args.out / "side-by-side.mp4"
    quiet = ["--quiet"] if args.quiet else []
    print(f"1. a clip of a talking face  {clip}", file=sys.stderr)
    make_demo_clip(clip)
    print(f"2. encode  {stream}", file=sys.stderr)
    encoding = _timed(["encode", str(clip), str(stream), *quiet])
    print(f"3. decode  {video}", file=sys.stderr)
    options = ["--side-by-side", str(clip), "--backend", args.backend, *quiet]
    decoding = _timed(["decode", str(stream), str(video), *options])
    facts = describe(stream)
    print(table(facts))
    print()
    print(_figures(facts, clip.stat().st_size, encoding, decoding))
    print(f"\nOriginal left, received right: {video}")
    return 0


def _timed(arguments: list[str]) -> float:
    """Run one of the commands; seconds that it took. Its errors are ours."""
    from ..main import parse

    start = time.perf_counter()
    command, args = parse(arguments)
    code = command(args)
    if code:
        raise SystemExit(code)
    return time.perf_counter() - start


def _figures(facts: dict[str, Any], clip_bytes: int, encoding: float, decoding: float) -> str:
    frames, duration = facts["frames"], facts["duration_s"] or 1.0
    rows = [
        ("the clip as H.264", f"{clip_bytes * 8 / 1000 / duration:.1f} kbit/s"),
        ("the same by facewire, all included", f"{facts['kbps']['total']:.1f} kbit/s"),
        ("  of that the motion alone", f"{facts['kbps']['motion']:.1f} kbit/s"),
        ("encoding, with start-up", f"{frames / encoding:.1f} frames/s"),
        ("decoding, with start-up and video file", f"{frames / decoding:.1f} frames/s"),
    ]
    return "\n".join(f"{name:<42}{value:>16}" for name, value in rows)
