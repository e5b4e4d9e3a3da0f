"""`facewire`: the command line. Each command is a module with `add_parser` and `run`.

Exit codes: 0 well, 1 the input or a file is bad (one sentence on stderr), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from .. import __version__
from .guard import guarded

__all__ = ["COMMANDS", "main", "parse"]

COMMANDS = {
    "encode": "video to .fwire",
    "decode": ".fwire to video",
    "info": "what is in a .fwire, and what it costs",
    "demo": "make a clip, encode it, decode it, show the figures; needs no input",
    "enroll": "fit the network to one person, into a file of at most 300 kB",
    "train": "train a network from a folder of clips",
    "export": "make a trained network ready for the torch-free runtime",
}
"""Commands and their one-line help; `facewire.cli.NAME` is the module, loaded when it is used."""

_EPILOG = """\
examples:
  facewire demo                                    see it work; needs no input
  facewire encode talk.mp4 talk.fwire              one keyframe, then 960 bits a frame
  facewire info talk.fwire                         frames, bits by kind, kbit/s
  facewire decode talk.fwire back.mp4              the face again, marked as synthetic
  facewire decode talk.fwire both.mp4 --side-by-side talk.mp4

facewire COMMAND --help tells more.
"""


class Command(Protocol):
    """A module of one command."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> object:
        """Describe the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `facewire`.

    Args:
        argv: arguments without the program's name; by default those of the process.

    Returns:
        The exit code; never raises for a bad input, a bad file or Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments

    def run() -> int:
        command, args = parse([a for a in arguments if a != "--debug"])
        return command(args)

    return guarded("facewire", run, debug=debug)


def parse(
    arguments: list[str],
) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """Arguments to the command that they name and its settings.

    Only the module of that command is imported: `facewire --help` stays fast, and `decode` never
    loads what only `encode` and `train` need. Raises `SystemExit` as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="facewire",
        description="Talking heads over almost no bandwidth: one picture, then ten keypoints "
        "a frame, then a face again.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"facewire {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in arguments if not word.startswith("-")), None)
    run: Callable[[argparse.Namespace], int] = _nothing
    for name, text in COMMANDS.items():
        if name == wanted:
            module = cast(Command, importlib.import_module(f"{__package__}.{name}"))
            module.add_parser(subparsers)
            run = module.run
        else:
            subparsers.add_parser(name, help=text)
    return run, parser.parse_args(arguments)


def _nothing(args: argparse.Namespace) -> int:
    return 2


if __name__ == "__main__":
    sys.exit(main())
