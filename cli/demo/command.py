"""`facewire demo`: makes a clip, encodes it, decodes it, and shows the figures."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path
from typing import Any

from ...codec.errors import ConfigError
from ...codec.whole_file import whole_file

__all__ = ["add_parser", "run"]

_FILES = ("clip.mp4", "clip.fwire", "side-by-side.mp4")
_SUMS = "SHA256SUMS"

_EPILOG = """\
examples:
  facewire demo
  facewire demo --out elsewhere

The clip is generated too: one photograph that is made to speak and to turn its head. After that the
demo runs the commands that you would run:

  facewire encode facewire-demo/clip.mp4 facewire-demo/clip.fwire
  facewire info facewire-demo/clip.fwire
  facewire decode facewire-demo/clip.fwire facewire-demo/side-by-side.mp4 \\
      --side-by-side facewire-demo/clip.mp4

It replaces what an earlier demo wrote to the folder, and nothing else: SHA256SUMS in the folder
tells the two apart.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire demo`."""
    parser = subparsers.add_parser(
        "demo",
        help="make a clip, encode it, decode it, show the figures; needs no input",
        description="Make a short clip of a talking face, send it through facewire, and show\n"
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
    parser.add_argument(
        "--backend",
        choices=("openvino", "torch"),
        default="openvino",
        help="the library that runs the network (default: %(default)s)",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> int:
    """Make the clip, encode it, decode it, and print what it cost."""
    from ..info import describe, table
    from .clip import make_demo_clip

    args.out.mkdir(parents=True, exist_ok=True)
    clip, stream, video = (args.out / name for name in _FILES)
    _refuse_foreign_files(args.out)
    quiet = ["--quiet"] if args.quiet else []
    print(f"1. a clip of a talking face  {clip}", file=sys.stderr)
    make_demo_clip(clip, overwrite=True)
    _note_own_files(args.out)
    print(f"2. encode  {stream}", file=sys.stderr)
    encoding = _timed(["encode", str(clip), str(stream), "--force", *quiet])
    print(f"3. decode  {video}", file=sys.stderr)
    _note_own_files(args.out)
    options = ["--side-by-side", str(clip), "--backend", args.backend, "--force", *quiet]
    decoding = _timed(["decode", str(stream), str(video), *options])
    _note_own_files(args.out)
    facts = describe(stream)
    print(table(facts))
    print()
    print(_figures(facts, clip.stat().st_size, encoding, decoding))
    print(f"\nThe generated clip left, received right: {video}")
    return 0


def _refuse_foreign_files(folder: Path) -> None:
    """Raise `ConfigError` for a file of the demo's names that no demo wrote."""
    sums = folder / _SUMS
    known = sums.read_text().split() if sums.is_file() else []
    for path in (folder / name for name in _FILES):
        if path.exists() and not (path.is_file() and _digest(path) in known):
            raise ConfigError(
                f"{path} was not written by the demo, which would replace it: move it away, or "
                "choose another folder with --out"
            )


def _note_own_files(folder: Path) -> None:
    """Write down which files are the demo's, as `sha256sum` does."""
    paths = [folder / name for name in _FILES if (folder / name).is_file()]
    lines = [f"{_digest(path)}  {path.name}\n" for path in paths]
    with whole_file(folder / _SUMS, overwrite=True) as file:
        file.write("".join(lines).encode())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _timed(arguments: list[str]) -> float:
    """Run one of the commands; returns the seconds that it took."""
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
