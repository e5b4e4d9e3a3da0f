"""How this project writes files: `whole_file`, `whole_path` and `check_output`.

A file appears under its name only when it is complete. Until then it grows in a hidden folder
beside its final place, and whatever ends the writing early (an error, a full disk, Ctrl-C, SIGTERM,
SIGHUP) removes that folder and leaves what was there before.

    path is …                      what happens
    nothing yet                    a new file, with the permissions that the umask gives
    a regular file                 refused unless `overwrite`; else replaced, permissions kept
    a symbolic link                stays a link; the file that it leads to is treated as above
    a FIFO or character device     `whole_file` writes into it; `whole_path` refuses
    a folder, socket, block device refused
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .clean_stop import clean_stop
from .errors import OutputError, OutputExistsError

__all__ = ["check_output", "whole_file", "whole_path"]

StrPath = str | os.PathLike[str]
_FULL = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG", "EROFS")
    if hasattr(errno, name)  # Windows lacks some
}
"""Errors of writing that the system reports without a file's name."""


@contextmanager
def whole_file(path: StrPath, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """A binary file to write; it gets its name at the end of the `with` block.

    Args:
        path: where to write. A FIFO or character device is written directly, byte by byte.
        overwrite: replace a regular file that exists.

    Raises:
        OutputExistsError: the file exists, and `overwrite` is false.
        OutputError: `path` cannot be an output, for example a folder or a socket.
        OSError: the system refuses; the error names `path`, never the temporary file.
    """
    if _kind(path) in _STREAMS:
        with _errors_name(path), open(path, "wb", opener=_open_existing) as file:
            yield file
    else:
        with whole_path(path, overwrite=overwrite) as draft, draft.open("xb") as file:
            yield file


@contextmanager
def whole_path(path: StrPath, *, overwrite: bool = False) -> Iterator[Path]:
    """The same for libraries and programs that want a file's name: they write to the path given.

    The path has the file's own name, in a hidden folder that only this user may enter. Nothing
    is at that path before.

    Raises:
        OutputExistsError, OSError: as `whole_file`.
        OutputError: as `whole_file`; also a FIFO or a device, since such writers go back in
            what they have written.
    """
    check_output(path, overwrite=overwrite, streams=False)
    final = Path(os.path.realpath(path))
    folder = final.with_name(f".facewire-{secrets.token_hex(8)}")
    with clean_stop(), _errors_name(path, folder):
        try:
            folder.mkdir(mode=0o700)
            draft = folder / final.name
            mode = _mode_of(final, draft)
            yield draft
            check_output(path, overwrite=overwrite, streams=False)  # it may have come since
            draft.chmod(mode)
            draft.replace(final)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def check_output(path: StrPath, *, overwrite: bool = False, streams: bool = True) -> None:
    """Raise what `whole_file` would raise at once; for use before long work.

    Args:
        path: where to write.
        overwrite: whether a regular file may be replaced.
        streams: whether a FIFO or character device will do.

    Raises:
        OutputExistsError, OutputError, OSError: as `whole_file`.
    """
    kind = _kind(path)
    if kind is None:
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise OutputError(f"cannot write {path}: the folder {folder} does not exist")
    elif kind == stat.S_IFREG:
        if not overwrite:
            raise OutputExistsError(
                f"{path} exists already: choose another name, or replace it with --force "
                "(in Python: overwrite=True)"
            )
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    elif kind not in _STREAMS or not streams:
        name = _NAMES.get(kind, "not a regular file")
        raise OutputError(f"cannot write {path}: it is {name}; choose the name of a file")


_STREAMS = {stat.S_IFIFO, stat.S_IFCHR}
_NAMES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe, and this kind of file is not written from beginning to end",
    stat.S_IFCHR: "a device, and this kind of file is not written from beginning to end",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


def _kind(path: StrPath) -> int | None:
    """Type of what is at the path, links followed (`stat.S_IFREG` …); None where nothing is."""
    try:
        return stat.S_IFMT(Path(path).stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _open_existing(path: str, flags: int) -> int:
    """Opens without creating or emptying: should the FIFO have gone, no file takes its place."""
    return os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC) | getattr(os, "O_NOCTTY", 0))


def _mode_of(final: Path, draft: Path) -> int:
    """Permissions of the file that is there, or those that a new one gets."""
    if final.exists():
        return stat.S_IMODE(final.stat().st_mode)
    draft.touch(exist_ok=False)
    mode = stat.S_IMODE(draft.stat().st_mode)
    draft.unlink()
    return mode


@contextmanager
def _errors_name(path: StrPath, folder: Path | None = None) -> Iterator[None]:
    """Let errors about the temporary file, and of a full disk, name the user's file."""
    try:
        yield
    except OSError as error:
        inside = folder is not None and folder.name in str(error.filename)
        if error.errno and (inside or (error.filename is None and error.errno in _FULL)):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise
