"""`facewire`: the command line. Each command is a module with `add_parser` and `run`.

Exit codes: 0 if all went well, 1 if the input or a file is bad (one sentence on stderr says why),
2 after wrong usage, 130 after Ctrl-C, 128 + n after signal n.
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
    "call": "call somebody, with a camera and a microphone",
    "encode": "video to .fwire",
    "decode": ".fwire to video",
    "play": "decode a .fwire and show it in a video player",
    "speak": "make a photograph speak what is in a sound file",
    "info": "what is in a .fwire, and what each part costs",
    "rendezvous": "run a server where the two sides of a call find each other",
    "demo": "make a clip, encode it, decode it, show the figures; needs no input",
    "enroll": "fit the network to one person, into a file of at most 300 kB",
    "train": "train a network from a folder of clips",
    "export": "make a trained network ready to run without torch",
}
"""Commands and their one-line help; the module `facewire.cli.NAME` is loaded when it is used."""

_EPILOG = """\
examples:
  facewire call                           starts a video call and prints a link for the other side
  facewire demo                           shows how it works; needs no input
  facewire encode talk.mp4 talk.fwire     makes a stream of a few pictures and the motion between
  facewire info talk.fwire                shows what its bits went into
  facewire decode talk.fwire back.mp4     draws the face again, marked as generated
  facewire decode talk.fwire both.mp4 --side-by-side talk.mp4
                                          the same, with the original beside it
  facewire play talk.fwire                shows it in a video player

facewire COMMAND --help tells more about each command.
"""


class Command(Protocol):
    """A module of one command."""

    def add_parser(self, subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> object:
        """Describe the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Run the command; returns the exit code."""


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
    """Find the command that the arguments name, and its settings.

    Only the module of that command is imported: so `facewire --help` is fast, and `decode` never
    loads what only `encode` and `train` need. Raises `SystemExit` as argparse does.
    """
    parser = argparse.ArgumentParser(
        prog="facewire",
        description="Send a talking head over almost no bandwidth: a few pictures and the motion\n"
        "of ten keypoints, from which the receiver draws the face again.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"facewire {__version__}")
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error, and what is logged"
    )
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
