"""What a file holds, told by its contents, so that a command can name the one that was meant."""

from __future__ import annotations

from pathlib import Path

from ..codec.errors import MediaError, StreamError
from .names import STANDARD, shown

__all__ = ["must_be_stream", "must_be_video"]

_STREAM, _IDENTITY = b"\x93FWIRE", b"\x93FWID"
_READS_FILES_ONLY = {"protocol_whitelist": "file,crypto,data"}


def must_be_stream(path: Path, name: str) -> None:
    """Raise `StreamError` for what is no `.fwire` stream.

    Args:
        path: the file.
        name: as it was given on the command line; used in messages.
    """
    head = _head(path)
    if _STREAM.startswith(head):  # also the beginning of a file that is cut off
        return
    if head.startswith(_IDENTITY):
        raise StreamError(f"{shown(name)} is an identity (.fwid), not a stream: use --identity")
    found = _media(path)
    if found is None:
        raise StreamError(f"{shown(name)} is not a .fwire stream: it does not begin like one")
    raise StreamError(
        f"{shown(name)} is {found}, not a .fwire stream: "
        f"`facewire encode {name} {_stem(name)}.fwire` makes one"
    )


def must_be_video(path: Path, name: str) -> None:
    """Raise `MediaError` for a stream or an identity, where a video is wanted.

    Args:
        path: the file.
        name: as it was given on the command line; used in messages.
    """
    head = _head(path)
    if head == _STREAM:
        raise MediaError(
            f"{shown(name)} is a facewire stream, not a video: "
            f"`facewire decode {name} {_stem(name)}.mp4` makes one"
        )
    if head.startswith(_IDENTITY):
        raise MediaError(f"{shown(name)} is an identity (.fwid), not a video: use --identity")


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_STREAM))


def _stem(name: str) -> str:
    """Name of a file that a suggested command could write, without its ending."""
    return "out" if name == STANDARD else Path(name).stem


def _media(path: Path) -> str | None:
    """What FFmpeg takes a file for, in words; None if it cannot read it."""
    import av

    try:
        with av.open(f"file:{path}", options=_READS_FILES_ONLY) as container:
            kind, name = container.format.name, container.format.long_name
            if kind == "tty":  # FFmpeg's name for a text that it would draw
                return None
            if not container.streams.video:
                return f"sound without a picture ({name})" if container.streams.audio else None
            stream = container.streams.video[0]
            if kind == "image2" or kind.endswith("_pipe"):
                return f"a picture of {stream.width}x{stream.height} pixels"
            return f"a video of {stream.width}x{stream.height} pixels ({name})"
    except (av.FFmpegError, OSError, ValueError):
        return None
