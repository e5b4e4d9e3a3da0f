"""What a file holds, told by its contents, so that a command can name the one that was meant."""

from __future__ import annotations

from pathlib import Path

from ..codec.errors import MediaError, StreamError

__all__ = ["must_be_stream", "must_be_video"]

_STREAM, _IDENTITY = b"\x93FWIRE", b"\x93FWID"
_READS_FILES_ONLY = {"protocol_whitelist": "file,crypto,data"}


def must_be_stream(path: Path) -> None:
    """Raise `StreamError` for a video or an identity where a `.fwire` stream is wanted.

    Damaged streams pass, and what nobody knows: reading them tells more.
    """
    head = _head(path)
    if head.startswith(_STREAM):
        return
    if head.startswith(_IDENTITY):
        raise StreamError(
            f"{path} is an identity (.fwid), not a stream: give it with --identity {path}"
        )
    if found := _media(path):
        raise StreamError(
            f"{path} is {found}, not a .fwire stream: "
            f"`facewire encode {path} {path.stem}.fwire` makes one"
        )


def must_be_video(path: Path) -> None:
    """Raise `MediaError` for a stream or an identity where a video is wanted."""
    head = _head(path)
    if head.startswith(_STREAM):
        raise MediaError(
            f"{path} is a facewire stream, not a video: "
            f"`facewire decode {path} {path.stem}.mp4` makes one"
        )
    if head.startswith(_IDENTITY):
        raise MediaError(
            f"{path} is an identity (.fwid), not a video: give it with --identity {path}"
        )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_STREAM))


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
