"""File names on the command line: what each one is, and whether it may be read or written.

A name is always a file, also with a colon in it (`12:30:45.mp4`), except `-`, which is standard
input or output. Whatever cannot be used gets a sentence of its own: an address, a folder, a device,
a file that exists already.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..codec import whole_file
from ..codec.errors import ConfigError

__all__ = ["STANDARD", "add_force", "check_output", "is_pipe", "readable", "shown"]

STANDARD = "-"
"""The name of standard input or standard output."""
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add `--force`, which allows a command to replace files that exist."""
    parser.add_argument(
        "-y", "--force", action="store_true", help="replace the output if it exists already"
    )


@contextmanager
def readable(name: str) -> Iterator[Path]:
    """A regular file with the contents of an input, which may be read more than once.

    A regular file is given as it is. A pipe, and `-` for standard input, is first copied into a
    temporary file, which is deleted at the end of the `with` block.

    Raises:
        ConfigError: an address, a folder, a device, a socket, an empty file, or `-` when standard
            input is a terminal.
        OSError: the file does not exist or cannot be read, or the disk is full.
    """
    if name == STANDARD:
        if sys.stdin is None:
            raise ConfigError("`-` reads standard input, which is closed")
        if sys.stdin.isatty():
            raise ConfigError("`-` reads standard input, which is a terminal: send a file into it")
    else:
        _check_input(name)
        if Path(name).is_file():
            yield Path(name)
            return
    with tempfile.TemporaryDirectory(prefix="facewire-") as folder:
        path = Path(folder) / ("standard-input" if name == STANDARD else Path(name).name)
        with path.open("wb") as copy:
            if name == STANDARD:
                shutil.copyfileobj(sys.stdin.buffer, copy)
            else:
                with Path(name).open("rb") as source:
                    shutil.copyfileobj(source, copy)
        if path.stat().st_size == 0:
            raise ConfigError(f"nothing came through {shown(name)}")
        yield path


def _check_input(name: str) -> None:
    """Raise for what is neither a regular file with something in it nor a pipe."""
    _check_name(name)
    if not Path(name).exists():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    status = Path(name).stat()
    if stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"{name} is a folder: name one file in it")
    if stat.S_ISREG(status.st_mode):
        if status.st_size == 0:
            raise ConfigError(f"{name} is an empty file")
    elif not stat.S_ISFIFO(status.st_mode):
        kind = "socket" if stat.S_ISSOCK(status.st_mode) else "device"
        raise ConfigError(f"{name} is a {kind}: record from it into a file first, and give that")


def check_output(
    name: str, *, force: bool, endings: Sequence[str], inputs: Sequence[Path] = ()
) -> None:
    """Refuse an output before any work is done for it.

    Args:
        name: as it was given; a pipe and `-` (standard output) need no ending.
        force: whether a file that exists may be replaced.
        endings: of file names that the command can write, for example `[".mp4", ".mkv"]`.
        inputs: files that the command reads; none of them may be the output.

    Raises:
        ConfigError: a name that cannot be written.
        OutputError, OutputExistsError, OSError: see `codec.whole_file.check_output`.
    """
    if name == STANDARD:
        if sys.stdout is None:
            raise ConfigError("`-` is standard output, which is closed")
        if sys.stdout.isatty():
            raise ConfigError("`-` is standard output, a terminal: send it to a file or a pipe")
        return
    _check_name(name)
    path = Path(name)
    if any(path.exists() and path.samefile(other) for other in inputs):
        raise ConfigError(f"{name} is an input: give the output another name")
    if not is_pipe(name) and path.suffix.lower() not in endings:
        raise ConfigError(f"the output {name} must end in {' or '.join(endings)}")
    whole_file.check_output(path, overwrite=force)


def is_pipe(name: str) -> bool:
    """Whether what is written to a name goes on to another program or to a device."""
    return name == STANDARD or (Path(name).exists() and not Path(name).is_file())


def _check_name(name: str) -> None:
    if not name:
        raise ConfigError("the name of a file is empty")
    if _ADDRESS.match(name) and not Path(name).exists():
        raise ConfigError(
            f"{name} is an address, and facewire opens none: it reads and writes files"
        )


def shown(name: str) -> str:
    """An input for messages: its name, or "standard input"."""
    return "standard input" if name == STANDARD else name
