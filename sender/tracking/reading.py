"""Containers of video files: opening them, and reading on where they are damaged."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from ...codec.errors import NotAVideoError

__all__ = ["decode", "open_video", "packets_of", "unread_recording"]

_log = logging.getLogger(__name__)

# Local files only: a playlist named .mp4 must not make us connect to the addresses in it.
_OPTIONS = {"protocol_whitelist": "file,crypto,data"}
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_EBML = b"\x1a\x45\xdf\xa3"  # begins each Matroska and WebM file (RFC 8794, section 11.2)
_BLOCK = 1 << 20  # bytes searched at a time
_MOST_ERRORS = 100  # in a row: after so many, the rest of a file is taken to be lost


def open_video(path: Path) -> InputContainer:
    """Open a video file at its beginning.

    Raises:
        NotAVideoError: there is no such file, it is something else than a file, or FFmpeg cannot
            read it.
    """
    _check_kind(path)
    try:
        # Named as a file: in `12:30.mp4` FFmpeg would take `12` for a protocol.
        return av.open(f"file:{path}", options=_OPTIONS)
    except PermissionError as error:
        raise NotAVideoError(f"{path} may not be read: {error.strerror}") from error
    except (av.error.FFmpegError, ValueError) as error:
        raise NotAVideoError(f"{path.name} is not a video that can be read") from error


def packets_of(container: InputContainer, streams: list[Any]) -> Iterator[Any]:
    """Packets of some streams in the order of the file, an empty one at the end of each stream.

    Where the container is damaged, reading goes on behind the damage; if it cannot, it ends.
    """
    errors = 0
    while True:
        try:
            for packet in container.demux(streams):
                errors = 0
                yield packet
            return
        except av.error.FFmpegError as error:
            errors += 1
            if errors >= _MOST_ERRORS:
                _log.warning("the file is damaged and cannot be read to its end: %s", error)
                return


def decode(packet: Any) -> list[Any]:
    """Frames of a packet; a damaged packet gives none, and the stream goes on."""
    try:
        return list(packet.decode())
    except av.error.FFmpegError as error:
        _log.info("a damaged packet was skipped: %s", error)
        return []


def unread_recording(path: Path, end: int) -> int:
    """Bytes of a second recording that is glued on behind what FFmpeg reads; 0: there is none.

    Of two files put together by `cat`, FFmpeg reads the first alone where they are MP4, or where
    only the first is a WebM of unknown length, as live recordings are.

    Args:
        path: the file.
        end: where its last packet ends, in bytes.
    """
    with path.open("rb") as file:
        head = file.read(12)
        lead = 0 if head[:4] == _EBML else 4  # MP4 begins with a length, `ftyp` and a brand
        sign = head[lead : 4 + 2 * lead]
        if sign != _EBML and sign[:4] != b"ftyp":
            return 0
        at, before = file.seek(end), b""
        while block := file.read(_BLOCK):
            found = (before + block).find(sign)
            if found >= 0:
                return path.stat().st_size - (at - len(before) + found - lead)
            before, at = block[1 - len(sign) :], at + len(block)
    return 0


def _check_kind(path: Path) -> None:
    """Raise `NotAVideoError` for what is not a regular file, with a sentence for each kind."""
    try:
        mode = path.stat().st_mode
    except PermissionError as error:
        raise NotAVideoError(f"{path} may not be read: {error.strerror}") from error
    except (OSError, ValueError) as error:
        why = "no such file"
        if _ADDRESS.match(str(path)):
            why = "this is an address on the net, and nothing is fetched from there: download it"
        raise NotAVideoError(f"{path}: {why}") from error
    kinds = (
        (stat.S_ISDIR, "a folder: name one video in it"),
        (stat.S_ISFIFO, "a pipe, which can be read only once: copy it into a file first"),
        (stat.S_ISSOCK, "a socket: name a file"),
        (stat.S_ISCHR, "a device: record a video from it first, and name that"),
        (stat.S_ISBLK, "a device: name a file on it"),
    )
    for is_kind, text in kinds:
        if is_kind(mode):
            raise NotAVideoError(f"{path} is {text}")
