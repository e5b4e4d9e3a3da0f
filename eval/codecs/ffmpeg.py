"""FFmpeg as the way to classic codecs: raw frames in, an elementary stream out, and back.

All codecs get the same planes, 10-bit 4:2:0 in the project's own colour matrix (`codec.colour`),
and come back through it: no converter of FFmpeg's touches the samples.
"""

from __future__ import annotations

import contextlib
import functools
import shlex
import shutil
import subprocess
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from ...codec.errors import EvaluationError
from ...codec.picture.colour import rgb_to_yuv420, yuv420_to_rgb
from ...codec.whole_file import whole_file
from ..clips import Clip
from .base import Codec, Encoded

__all__ = ["FfmpegCodec", "find_ffmpeg", "planes_to_rgb", "run_program", "write_planes"]

_DEPTH = 10
_TIMEOUT_S = 3600
Frame = npt.NDArray[np.uint8]


@functools.cache
def find_ffmpeg(encoder: str) -> str:
    """An FFmpeg that has the encoder: that of `imageio-ffmpeg`, else the one on PATH.

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
    try:
        import imageio_ffmpeg
    except ImportError:
        pass
    else:
        with contextlib.suppress(RuntimeError):  # no binary for this platform
            found.append(imageio_ffmpeg.get_ffmpeg_exe())
    if own := shutil.which("ffmpeg"):
        found.append(own)
    return found


@functools.cache
def _ask(program: str, option: str) -> str:
    try:
        done = subprocess.run(
            [program, "-hide_banner", option],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def run_program(command: list[str], name: str, folder: Path | None = None) -> None:
    """Run to the end.

    Raises:
        EvaluationError: it is not there, failed, or took over an hour.
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
        raise EvaluationError(_failed(name, done.returncode, done.stderr))


def _failed(name: str, code: int, stderr: bytes) -> str:
    words = stderr.decode(errors="replace").strip().splitlines()
    said = "; ".join(words[-3:]) or "nothing"
    return f"{name} failed with exit code {code} and said: {said}"


def write_planes(clip: Clip, folder: Path) -> Path:
    """The clip as a raw file, planar 4:2:0, 10 bits in 16, little endian; made once a folder."""
    path = folder / "frames.yuv"
    if not path.exists():
        with whole_file(path, overwrite=True) as file:
            for frame in clip.rgb():
                for plane in rgb_to_yuv420(np.asarray(frame), _DEPTH):
                    file.write(plane.astype("<u2").tobytes())
    return path


def planes_to_rgb(data: bytes, width: int, height: int) -> Frame:
    """One frame of such a file, back to uint8 RGB `[H, W, 3]`."""
    samples = np.frombuffer(data, "<u2")
    luma, chroma = width * height, width * height // 4
    y = samples[:luma].reshape(height, width)
    u = samples[luma : luma + chroma].reshape(height // 2, width // 2)
    v = samples[luma + chroma :].reshape(height // 2, width // 2)
    return yuv420_to_rgb(y, u, v, _DEPTH)


class FfmpegCodec(Codec):
    """A classic codec in FFmpeg.

    Attributes:
        encoder: FFmpeg's name of it.
        library: for the report.
        container: FFmpeg's name of the format that is written: a bare stream.
        passes: 1 or 2.
    """

    encoder: str
    library: str
    container: str
    passes: int = 1

    @abstractmethod
    def options(self, setting: float) -> list[str]:
        """FFmpeg's options for a setting of the knob."""

    def pass_options(self, number: int) -> list[str]:
        """Options of one of two passes."""
        return ["-pass", str(number), "-passlogfile", "passlog"]

    def versions(self) -> dict[str, str]:
        """FFmpeg's version and how the codec is run."""
        program = find_ffmpeg(self.encoder)
        first = _ask(program, "-version").splitlines()[0]
        return {"ffmpeg": first.removeprefix("ffmpeg version ").split(" Copyright")[0]}

    def identity(self) -> str:
        """Also the options, so that changed ones do not find old streams."""
        return super().identity() + " ".join(self.options(self.knob.high))

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Code the raw frames on one thread."""
        program = find_ffmpeg(self.encoder)
        write_planes(clip, scratch)
        source = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{clip.width}x{clip.height}"]
        source += ["-r", str(clip.fps), "-i", "frames.yuv"]
        coding = ["-c:v", self.encoder, *self.options(setting), "-threads", "1"]
        head = ["-hide_banner", "-loglevel", "error", "-y", *source, *coding]
        target = ["-f", self.container, str(out.absolute())]
        if self.passes == 1:
            runs = [[*head, *target]]
        else:
            runs = [
                [*head, *self.pass_options(1), "-f", "null", "-"],
                [*head, *self.pass_options(2), *target],
            ]
        began = time.perf_counter()
        for run in runs:
            run_program([program, *run], self.name, scratch)
        seconds = time.perf_counter() - began
        shown = " && ".join(
            shlex.join(["ffmpeg", *run]).replace(str(out.absolute()), f"out{self.suffix}")
            for run in runs
        )
        return Encoded(out, _count(out, self.name), setting, shown, seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Decode with FFmpeg, frame by frame through a pipe."""
        command = [find_ffmpeg(self.encoder), "-hide_banner", "-loglevel", "error", "-threads", "1"]
        command += ["-i", str(encoded.path), "-f", "rawvideo", "-pix_fmt", "yuv420p10le"]
        command += ["-fps_mode", "passthrough", "-"]
        size = clip.width * clip.height * 3
        with (
            (scratch / "decode.log").open("w+b") as log,
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL
            ) as process,
        ):
            assert process.stdout is not None
            guard = threading.Timer(_TIMEOUT_S, process.kill)  # one that hangs ends some time
            guard.daemon = True
            guard.start()
            try:
                while data := process.stdout.read(size):
                    if len(data) != size:
                        raise EvaluationError(f"{self.name}: its stream ends within a frame")
                    yield planes_to_rgb(data, clip.width, clip.height)
                if process.wait():
                    log.seek(0)
                    raise EvaluationError(_failed(self.name, process.returncode, log.read()))
            finally:
                guard.cancel()
                process.kill()


def _count(path: Path, name: str) -> dict[str, int]:
    """Bits of the stream by kind of picture; what is in no packet is container.

    In IVF the headers of file and frames are not counted: VP9 has no bare format, and a call
    would not send them.
    """
    keys = inter = 0
    try:
        with av.open(str(path)) as file:
            for packet in file.demux(video=0):
                if packet.is_keyframe:
                    keys += packet.size
                else:
                    inter += packet.size
            framing = file.format.name == "ivf"
    except (av.FFmpegError, IndexError) as error:
        raise EvaluationError(f"{name} wrote no stream that can be read: {error}") from error
    rest = 0 if framing else max(0, path.stat().st_size - keys - inter)
    return {"keyframe": 8 * keys, "inter": 8 * inter, "container": 8 * rest}
