"""The classic codecs, coded and decoded by FFmpeg; `classic.toml` says how each is run."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import av
import msgspec

from ...codec.errors import EvaluationError
from ..clips import Clip
from .base import Knob
from .command import CommandCodec, output_of

__all__ = ["CLASSIC", "Classic", "FfmpegCodec", "find_ffmpeg"]

_SUFFIXES = {"vvc": ".266", "obu": ".obu", "hevc": ".265", "h264": ".264", "ivf": ".ivf"}


@dataclass(frozen=True, slots=True)
class Classic:
    """How FFmpeg runs a codec; `classic.toml` says what each key means."""

    about: str
    encoder: str
    format: str
    options: str
    knob: Knob
    passes: int = 1


CLASSIC = msgspec.toml.decode(
    Path(__file__).with_name("classic.toml").read_bytes(), type=dict[str, Classic]
)
"""Codecs by the name that `--codecs` takes."""


@functools.cache
def find_ffmpeg(encoder: str) -> str:
    """Path of an FFmpeg that has the encoder: that of `imageio-ffmpeg`, else the one on PATH.

    Raises:
        EvaluationError: none has it.
    """
    for program in _candidates():
        if f" {encoder} " in _ask(program, "-encoders"):
            return program
    raise EvaluationError(
        f"no FFmpeg with {encoder} is here: pip install 'imageio-ffmpeg>=0.8.0' (Linux, macOS on "
        f"arm64), or put an ffmpeg built with {encoder} on PATH"
    )


def _candidates() -> list[str]:
    found = []
    with contextlib.suppress(ImportError, RuntimeError):  # RuntimeError: none for this platform
        import imageio_ffmpeg

        found.append(imageio_ffmpeg.get_ffmpeg_exe())
    if own := shutil.which("ffmpeg"):
        found.append(own)
    return found


@functools.cache
def _ask(program: str, option: str) -> str:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return output_of([program, "-hide_banner", option])
    return ""


class FfmpegCodec(CommandCodec):
    """A classic codec in FFmpeg.

    Args:
        name: as in `--codecs`.
        settings: how it is run; by default the entry of that name in `CLASSIC`.
    """

    def __init__(self, name: str, settings: Classic | None = None) -> None:
        self.name, self.settings = name, settings or CLASSIC[name]
        self.about, self.knob = self.settings.about, self.settings.knob
        self.suffix = _SUFFIXES[self.settings.format]

    def options(self, setting: float) -> list[str]:
        """FFmpeg's options for a setting of the knob."""
        return self.settings.options.format(setting).split()

    def versions(self) -> dict[str, str]:
        """FFmpeg's version."""
        first = _ask(find_ffmpeg(self.settings.encoder), "-version").splitlines()[0]
        return {"ffmpeg": first.removeprefix("ffmpeg version ").split(" Copyright")[0]}

    def identity(self) -> str:
        """Also the options, so that changed ones do not find old streams."""
        return super().identity() + " ".join(self.options(self.knob.high))

    def encoding(self, clip: Clip, setting: float, source: Path, stream: Path) -> list[list[str]]:
        """One command a pass, on one thread."""
        head = [find_ffmpeg(self.settings.encoder), "-hide_banner", "-loglevel", "error", "-y"]
        head += ["-f", "rawvideo", "-pix_fmt", self.pixels, "-s", f"{clip.width}x{clip.height}"]
        head += ["-r", str(clip.fps), "-i", str(source), "-c:v", self.settings.encoder]
        head += [*self.options(setting), "-threads", "1"]
        target = ["-f", self.settings.format, str(stream)]
        if self.settings.passes == 1:
            return [[*head, *target]]
        log = ["-passlogfile", "passlog"]
        return [
            [*head, "-pass", "1", *log, "-f", "null", "-"],
            [*head, "-pass", "2", *log, *target],
        ]

    def shown(self, command: list[str]) -> list[str]:
        """The program goes by its name."""
        return ["ffmpeg", *command[1:]]

    def decoding(self, clip: Clip, stream: Path, output: Path) -> list[str]:
        """FFmpeg on one thread; it neither adds nor drops a frame."""
        command = [find_ffmpeg(self.settings.encoder), "-hide_banner", "-loglevel", "error"]
        command += ["-threads", "1", "-i", str(stream), "-f", "rawvideo", "-pix_fmt", self.pixels]
        return [*command, "-fps_mode", "passthrough", str(output)]

    def count(self, stream: Path) -> dict[str, int]:
        """Bits by kind of picture; what is in no packet is container.

        In IVF the headers of file and frames are not counted: VP9 has no bare format, and a call
        would not send them.
        """
        keys = inter = 0
        try:
            with av.open(str(stream)) as file:
                for packet in file.demux(video=0):
                    keys += packet.size if packet.is_keyframe else 0
                    inter += 0 if packet.is_keyframe else packet.size
                framing = file.format.name == "ivf"
        except (av.FFmpegError, IndexError) as error:
            raise EvaluationError(
                f"{self.name} wrote no stream that can be read: {error}"
            ) from error
        rest = 0 if framing else max(0, stream.stat().st_size - keys - inter)
        return {"keyframe": 8 * keys, "inter": 8 * inter, "container": 8 * rest}
