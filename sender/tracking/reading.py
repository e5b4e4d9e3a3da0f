"""Containers of video files: opening them, and reading on where they are damaged."""

from __future__ import annotations

import logging
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.container import InputContainer
from av.format import Flags

from ...codec.errors import NotAVideoError

__all__ = ["BREAKS", "Damage", "decode", "open_video", "packets_of", "unread_recording"]

_log = logging.getLogger(__name__)

BREAKS = cast(int, Flags.ts_discont.value)
"""Flag of formats whose stamps may jump by design: MPEG transport and program streams."""

# Local files only: a playlist named .mp4 must not make us connect to the addresses in it.
_OPTIONS = {"protocol_whitelist": "file,crypto,data"}
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
# Beginnings of files, of formats that FFmpeg may read no further than to the end of the first one:
# Matroska (RFC 8794, section 11.2), FLV, ASF (Windows Media), Ogg (RFC 3533, section 6).
_BEGINNINGS = (
    b"\x1a\x45\xdf\xa3",
    b"FLV\x01",
    bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    b"OggS\x00\x02",
)
_BLOCK = 1 << 20  # bytes searched at a time
_PERIOD_S = Fraction(1 << 33, 90_000)  # after which stamps of MPEG begin again (ISO 13818-1, 2.4.3)
_GOES_ON_S = 2  # from one stamp to the next, in a stream that goes on
_MOST_ERRORS = 100  # in a row: after so many, the rest of a file is taken to be lost


@dataclass(slots=True)
class Damage:
    """Counts of the packets of a stream.

    Attributes:
        packets: that were decoded or left out.
        left_out: those of them that could not be decoded.
    """

    packets: int = 0
    left_out: int = 0

    def warn(self, name: str, what: str) -> None:
        """Log what was left out of a file, if anything was. `what`: "pictures" or "sound"."""
        if self.left_out:
            _log.warning(
                "%s: %d of the %d packets of its %s cannot be decoded and are left out",
                *(name, self.left_out, self.packets, what),
            )


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

    Stamps of MPEG begin again at zero after 26.5 hours; where they do, they are made to go on.
    Where the container is damaged, reading goes on behind the damage; if it cannot, it ends. A
    stream also ends where FFmpeg begins to read it anew (as with fragmented MP4 files that are
    glued together, of which it takes the first one twice).
    """
    errors = 0
    wraps = bool(container.format.flags & BREAKS)
    lasts: dict[int, int] = {}
    firsts: dict[int, tuple[Any, ...]] = {}
    over: set[int] = set()
    while True:
        try:
            for packet in container.demux(streams):
                errors = 0
                index, place = packet.stream.index, (packet.pos, packet.dts, packet.size)
                if packet.size and packet.pos is not None:
                    if firsts.get(index) == place:
                        over.add(index)
                    firsts.setdefault(index, place)
                if index in over and packet.size:
                    continue
                if wraps:
                    _go_on(packet, lasts)
                yield packet
            return
        except av.error.FFmpegError as error:
            errors += 1
            if errors >= _MOST_ERRORS:
                _log.warning("the file is damaged and cannot be read to its end: %s", error)
                return


def _go_on(packet: Any, lasts: dict[int, int]) -> None:
    """Undo the wrap of a packet's stamps, if they go on from its stream's last ones; keep them."""
    stamp = packet.pts if packet.dts is None else packet.dts
    if stamp is None:
        return
    index, tick = packet.stream.index, packet.time_base
    period, last = round(_PERIOD_S / tick), lasts.get(index, stamp)
    nearest = stamp + period * round((last - stamp) / period)
    if nearest != stamp and abs(nearest - last) * tick <= _GOES_ON_S:
        packet.pts = None if packet.pts is None else packet.pts + nearest - stamp
        packet.dts = None if packet.dts is None else packet.dts + nearest - stamp
        stamp = nearest
    lasts[index] = stamp


def decode(packet: Any, damage: Damage) -> list[Any]:
    """Frames of a packet; a damaged packet gives none, and the stream goes on."""
    damage.packets += packet.size > 0
    try:
        return list(packet.decode())
    except av.error.FFmpegError as error:
        _log.info("a damaged packet was skipped: %s", error)
        damage.left_out += packet.size > 0
        return []


def unread_recording(path: Path, end: int) -> int:
    """Bytes of a second recording that is glued on behind what FFmpeg reads; 0: there is none.

    Of two files put together by `cat`, FFmpeg reads the first alone where they are MP4, FLV, Ogg or
    Windows Media, or where only the first is a WebM of unknown length, as live recordings are.

    Args:
        path: the file.
        end: where its last packet ends, in bytes.
    """
    with path.open("rb") as file:
        head = file.read(12)
        lead, sign = 0, next((one for one in _BEGINNINGS if head.startswith(one[:12])), b"")
        if head[4:8] == b"ftyp":  # MP4 begins with a length, `ftyp` and a brand
            lead, sign = 4, head[4:]
        if not sign:
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
