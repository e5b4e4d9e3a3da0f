"""`facewire play`: decode a .fwire into a temporary file and show it in a video player."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..codec.errors import ConfigError
from . import names
from .decode import add_decoder_options, decoded
from .kinds import must_be_stream

__all__ = ["PLAYERS", "add_parser", "run"]

PLAYERS: dict[str, tuple[str, ...]] = {
    "mpv": ("--really-quiet",),
    "ffplay": ("-loglevel", "error", "-autoexit"),
    "vlc": ("--play-and-exit", "--quiet"),
    "mplayer": ("-really-quiet",),
}
"""Players that are looked for, in this order, and the options that make each end with the video."""
_EPILOG = """\
examples:
  facewire play talk.fwire
  facewire play talk.fwire --player vlc

The stream is decoded first, then shown by the first of these players that is installed:
mpv, ffplay, vlc, mplayer. The decoded video is deleted when the player ends;
`facewire decode` makes one that stays.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe `facewire play`."""
    parser = subparsers.add_parser(
        "play",
        help="decode a .fwire and show it in a video player",
        description="Decode a .fwire stream and show it, with its sound, in a video player.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("input", metavar="IN.fwire")
    parser.add_argument(
        "--player", choices=tuple(PLAYERS), help="use this player (default: the first installed)"
    )
    add_decoder_options(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def run(args: argparse.Namespace) -> int:
    """Decode, and show."""
    with names.readable(args.input) as source:
        must_be_stream(source, args.input)
        player = _player(args.player, args.input)
        with tempfile.TemporaryDirectory(prefix="facewire-") as folder:
            video = Path(folder) / f"{source.stem}.mkv"
            decoded(source, video, args)
            name = Path(player).stem
            if not args.quiet:
                print(f"showing it with {name}", file=sys.stderr)
            code = subprocess.run([player, *PLAYERS[name], str(video)], check=False).returncode
    if code:
        raise ConfigError(
            f"{name} could not show the video (exit code {code}): try --player, or "
            f"`facewire decode {args.input} {source.stem}.mp4` and a player of your choice"
        )
    return 0


def _player(wanted: str | None, shown: str) -> str:
    """Path of a player; raises `ConfigError` if there is none, or no screen to show a video on."""
    otherwise = f"`facewire decode {shown} {Path(shown).stem}.mp4` makes a video for any player"
    if sys.platform.startswith("linux") and not (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    ):
        raise ConfigError(f"there is no screen here to play on; {otherwise}")
    for name in [wanted] if wanted else PLAYERS:
        if path := shutil.which(name):
            return path
    missing = f"{wanted} is not" if wanted else f"none of {', '.join(PLAYERS)} is"
    raise ConfigError(f"{missing} installed; {otherwise}")
