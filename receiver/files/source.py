"""`open_stream`: opens a `.fwire` file, and says what to do with a file that is none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...codec.errors import StreamError
from ...codec.file.container import Reader
from ...codec.motion.profiles import motion_ticks
from ...codec.packet import Kind
from ...codec.stream import StreamHeader

__all__ = ["count_frames", "open_stream"]

_HEAD = 16


@contextmanager
def open_stream(path: Path) -> Iterator[Reader]:
    """Open a `.fwire` file; a pipe will do.

    Raises:
        StreamError: not a `.fwire` file. The sentence names `facewire encode` if it is a video.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = b""
        if file.seekable():
            head = file.read(_HEAD)
            file.seek(0)
        kind = _media(head)
        if kind:
            raise StreamError(
                f"{path} is {kind}, not a .fwire stream: "
                f"`facewire encode {path} {path.with_suffix('.fwire').name}` makes one of it"
            )
        try:
            reader = Reader(file)
        except StreamError as error:
            raise type(error)(f"{path}: {error}") from error
        yield reader


def count_frames(path: Path) -> int | None:
    """Number of frames in the motion of a `.fwire` file; None for a pipe, which is read once.

    Raises:
        StreamError: not a `.fwire` file.
        OSError: it cannot be read.
    """
    if not path.is_file():
        return None
    frames = 0
    profile = ""
    with open_stream(path) as reader:
        for packet in reader:
            try:
                if packet.kind == Kind.STREAM:
                    profile = StreamHeader.from_payload(packet.payload).profile
                elif packet.kind == Kind.MOTION and profile:
                    frames += len(motion_ticks(profile, packet.payload))
            except StreamError:
                continue
    return frames


def _media(head: bytes) -> str | None:
    """What kind of media file begins with these bytes; None if it is none that is known."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "a video (MP4 or QuickTime)"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "a video (Matroska or WebM)"
    if head.startswith(b"RIFF"):
        return "a video or sound (AVI or WAV)" if head[8:12] in (b"AVI ", b"WAVE") else None
    if head.startswith((b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3", b"FLV", b"G\x40")):
        return "a video (MPEG or FLV)"
    return None
