"""Codecs behind command lines: raw frames in a file, a stream in a file, and back.

All get the same planes, 10-bit 4:2:0 in the project's own colour matrix (`codec.colour`), and come
back through it, so that no converter of a program touches the samples. One may ask for RGB instead.
"""

from __future__ import annotations

import shlex
import subprocess
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...codec.errors import EvaluationError
from ...codec.picture.colour import rgb_to_yuv420, yuv420_to_rgb
from ...codec.whole_file import whole_path
from ..clips import Clip, Frame
from ..files import cpu_seconds
from .base import Codec, Encoded

__all__ = ["CommandCodec", "output_of", "planes_to_rgb", "run_program", "write_frames"]

PIXELS = ("yuv420p10le", "rgb24")
_DEPTH = 10
_TIMEOUT_S = 3600


def run_program(command: list[str], name: str, folder: Path | None = None) -> None:
    """Run a program to its end.

    Args:
        command: the program and its arguments; no shell reads them.
        name: the codec, for messages.
        folder: where it runs.

    Raises:
        EvaluationError: the program is not there, failed, or took over an hour.
    """
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
    except FileNotFoundError as error:
        raise EvaluationError(f"{name}: no program {command[0]!r}; install it first") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EvaluationError(f"{name}: {error}") from error
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        said = "; ".join(words[-3:]) or "nothing"
        raise EvaluationError(f"{name} failed with exit code {done.returncode} and said: {said}")


def output_of(command: list[str]) -> str:
    """What a program prints, on stdout or else on stderr, within a minute.

    Raises:
        OSError, subprocess.TimeoutExpired: the program does not run, or does not end.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout or done.stderr


def write_frames(clip: Clip, folder: Path, pixels: str = PIXELS[0]) -> Path:
    """Write a clip's frames as a raw file, once a folder.

    Args:
        clip: the clip.
        folder: where the file goes.
        pixels: `yuv420p10le` (planes, 10 bits in 16, little endian) or `rgb24`.
    """
    path = folder / ("frames.rgb" if pixels == "rgb24" else "frames.yuv")
    if path.exists():
        return path
    with whole_path(path, overwrite=True) as draft, draft.open("wb") as file:
        for frame in map(np.asarray, clip.rgb()):
            if pixels == "rgb24":
                file.write(frame.tobytes())
            else:
                planes = rgb_to_yuv420(frame, _DEPTH)
                file.writelines(plane.astype("<u2").tobytes() for plane in planes)
    return path


def planes_to_rgb(data: bytes, width: int, height: int) -> Frame:
    """One frame of `yuv420p10le` as uint8 RGB `[H, W, 3]`."""
    samples = np.frombuffer(data, "<u2")
    luma, chroma = width * height, width * height // 4
    y = samples[:luma].reshape(height, width)
    u = samples[luma : luma + chroma].reshape(height // 2, width // 2)
    v = samples[luma + chroma :].reshape(height // 2, width // 2)
    return yuv420_to_rgb(y, u, v, _DEPTH)


class CommandCodec(Codec):
    """A codec whose encoder and decoder are programs.

    Attributes:
        pixels: one of `PIXELS`, the format of the raw files.
    """

    pixels: str = PIXELS[0]

    @abstractmethod
    def encoding(self, clip: Clip, setting: float, source: Path, stream: Path) -> list[list[str]]:
        """The commands that encode, one after the other; paths are absolute."""

    @abstractmethod
    def decoding(self, clip: Clip, stream: Path, output: Path) -> list[str]:
        """The command that decodes; paths are absolute."""

    def shown(self, command: list[str]) -> list[str]:
        """A command as a person types it."""
        return command

    def count(self, stream: Path) -> dict[str, int]:
        """Bits of a stream by part; by default all of them are of one kind."""
        return {"inter": 8 * stream.stat().st_size}

    def write_source(self, clip: Clip, folder: Path) -> Path:
        """The raw frames."""
        return write_frames(clip, folder, self.pixels).absolute()

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Run the encoder on the raw frames."""
        source, stream = self.write_source(clip, scratch), out.absolute()
        commands = self.encoding(clip, setting, source, stream)
        began = cpu_seconds()
        for command in commands:
            run_program(command, self.name, scratch)
        seconds = cpu_seconds() - began
        if not out.is_file() or not out.stat().st_size:
            raise EvaluationError(f"{self.name} ended well and wrote no stream")
        shown = " && ".join(shlex.join(self.shown(command)) for command in commands)
        shown = shown.replace(str(stream), f"out{self.suffix}").replace(str(source), source.name)
        return Encoded(out, self.count(out), setting, shown, seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Run the decoder, then read its raw file frame by frame.

        Raises:
            EvaluationError: the decoder failed, or wrote another number of frames.
        """
        out = (scratch / f"{encoded.path.stem}.decoded").absolute()
        out.unlink(missing_ok=True)
        size = clip.width * clip.height * 3  # in both formats
        try:
            run_program(self.decoding(clip, encoded.path.absolute(), out), self.name, scratch)
            wrote = out.stat().st_size if out.is_file() else 0
            if wrote != clip.frames * size:
                raise EvaluationError(
                    f"{self.name}: its decoder wrote {wrote} bytes, not {clip.frames} frames of "
                    f"{size}"
                )
            with out.open("rb") as file:
                while data := file.read(size):
                    if self.pixels == "rgb24":
                        yield np.frombuffer(data, np.uint8).reshape(clip.height, clip.width, 3)
                    else:
                        yield planes_to_rgb(data, clip.width, clip.height)
        finally:
            out.unlink(missing_ok=True)
