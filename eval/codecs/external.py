"""Anybody's command-line codec, described in a TOML file; no code is touched.

    [codec.mine]
    about = "my codec, fast"
    encode = "myenc -w {width} -h {height} -f {fps} -b {setting} {input} {stream}"
    decode = "mydec {stream} {output}"
    pixels = "yuv420p10le"        # or "rgb24": format of the raw files {input} and {output}
    version = "myenc --version"   # its first line is kept; optional
    suffix = ".mine"
    [codec.mine.knob]             # what {setting} is; without: a bitrate in bit/s
    name = "QP"
    low = 0
    high = 63
    step = 1
    start = 40
    slope = -0.1                  # change of ln(bits) per unit; leave it out for a bitrate

The commands are run without a shell, in a folder of their own. What `{stream}` holds is counted,
all of it.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import subprocess
import time
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...codec.errors import ConfigError, EvaluationError
from ...codec.whole_file import whole_file
from ..clips import Clip
from .base import Codec, Encoded, Knob
from .ffmpeg import planes_to_rgb, run_program, write_planes

__all__ = ["External", "read_codecs"]

Frame = npt.NDArray[np.uint8]
_KEYS = {"about", "encode", "decode", "pixels", "version", "suffix", "knob"}
_COMMON = {"stream", "width", "height", "fps", "frames"}
_FIELDS = {"encode": {"input", "setting", *_COMMON}, "decode": {"output", *_COMMON}}
_NEEDED = {"encode": ("input", "stream"), "decode": ("stream", "output")}
_RATE = Knob("bitrate", 100, 100_000_000, 0.002)


def read_codecs(path: Path) -> list[External]:
    """The codecs that a TOML file describes.

    Raises:
        ConfigError: not such a file; the sentence names the codec and the key.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file that can be read: {error}") from error
    codecs = tables.get("codec")
    if not isinstance(codecs, dict) or not codecs:
        raise ConfigError(f"{path} describes no codec: it needs a table [codec.NAME]")
    return [_codec(path, str(name), table) for name, table in codecs.items()]


def _codec(path: Path, name: str, table: Any) -> External:
    where = f"{path}, codec {name}"
    if not re.fullmatch(r"[\w.+-]{1,40}", name):
        raise ConfigError(f"{where}: a name has letters, digits and . + - _ alone")
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: not a table")
    if unknown := set(table) - _KEYS:
        raise ConfigError(f"{where}: unknown key {sorted(unknown)[0]!r}")
    for key in _FIELDS:
        _check_command(where, key, table.get(key))
    pixels = table.get("pixels", "yuv420p10le")
    if pixels not in ("yuv420p10le", "rgb24"):
        raise ConfigError(f"{where}: pixels is yuv420p10le or rgb24, not {pixels!r}")
    texts = {key: table.get(key, "") for key in ("about", "version", "suffix")}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise ConfigError(f"{where}: {key} is a text, not {text!r}")
    if texts["version"]:
        _words(where, "version", texts["version"])
    if not re.fullmatch(r"(\.\w{1,16})?", texts["suffix"]):
        raise ConfigError(f"{where}: suffix is a dot and letters, not {texts['suffix']!r}")
    return External(name, table["encode"], table["decode"], pixels, _knob(where, table), texts)


def _check_command(where: str, key: str, command: object) -> None:
    if not isinstance(command, str) or not _words(where, key, command):
        raise ConfigError(f"{where}: {key} must be a command line")
    used = set(re.findall(r"{(\w*)}", command))
    if unknown := used - _FIELDS[key]:
        raise ConfigError(
            f"{where}: {key} uses {{{sorted(unknown)[0]}}}; known are "
            + ", ".join(sorted(_FIELDS[key]))
        )
    for name in _NEEDED[key]:
        if name not in used:
            raise ConfigError(f"{where}: {key} must name {{{name}}}")


def _words(where: str, key: str, command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:  # a quote that is not closed
        raise ConfigError(f"{where}: {key} is no command line: {error}") from error


def _knob(where: str, table: dict[str, Any]) -> Knob:
    given = table.get("knob")
    if given is None:
        return _RATE
    known = {f.name for f in fields(Knob)}
    if not isinstance(given, dict) or set(given) - known:
        raise ConfigError(f"{where}: knob is a table of {', '.join(sorted(known))}")
    for key in ("low", "high"):
        if key not in given:
            raise ConfigError(f"{where}: knob needs {key}")
    for key, value in given.items():
        kinds = {"name": (str,), "tries": (int,)}.get(key, (int, float))
        bad = not isinstance(value, kinds) or isinstance(value, bool)
        if bad or (isinstance(value, float) and not math.isfinite(value)):
            raise ConfigError(f"{where}: knob: {key} cannot be {value!r}")
    knob = Knob(**{"name": "setting", "step": 1.0, **given})
    if not (knob.low < knob.high and knob.step > 0 and knob.tries > 0 and knob.slope != 0):
        raise ConfigError(
            f"{where}: knob needs low < high, step and tries above 0, a slope that is not 0"
        )
    if knob.slope is None and knob.low <= 0:
        raise ConfigError(f"{where}: knob without a slope is a rate in bit/s: low is above 0")
    return knob


class External(Codec):
    """A codec behind two command lines."""

    def __init__(
        self,
        name: str,
        encode: str,
        decode: str,
        pixels: str,
        knob: Knob,
        texts: dict[str, str],
    ) -> None:
        self.name, self._encode, self._decode = name, encode, decode
        self._pixels, self.knob = pixels, knob
        self.about = texts.get("about") or f"external command: {shlex.split(encode)[0]}"
        self.suffix = texts.get("suffix") or ".bin"
        self._version = texts.get("version", "")

    def versions(self) -> dict[str, str]:
        """The first line that its version command prints."""
        if not self._version:
            return {self.name: "unknown"}
        try:
            done = subprocess.run(
                shlex.split(self._version),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EvaluationError(
                f"{self.name}: {self._version!r} does not run: {error}"
            ) from error
        lines = (done.stdout or done.stderr).strip().splitlines()
        return {self.name: lines[0][:200] if lines else "unknown"}

    def identity(self) -> str:
        """Also the command lines."""
        digest = hashlib.sha256(f"{self._encode}\0{self._decode}\0{self._pixels}".encode())
        return super().identity() + digest.hexdigest()

    def encode(self, clip: Clip, setting: float, out: Path, scratch: Path) -> Encoded:
        """Run the encoder on a raw file."""
        write = _rgb if self._pixels == "rgb24" else write_planes
        source = write(clip, scratch).absolute()
        # Never as 1e+06: programs that read whole numbers do not know it.
        number = np.format_float_positional(setting, trim="-")
        stream = out.absolute()
        command = self._fill(self._encode, clip, input=source, stream=stream, setting=number)
        began = time.perf_counter()
        run_program(command, self.name, scratch)
        seconds = time.perf_counter() - began
        if not out.is_file() or not out.stat().st_size:
            raise EvaluationError(f"{self.name} ended well and wrote no stream")
        shown = shlex.join(command).replace(str(stream), f"out{self.suffix}")
        bits = {"inter": 8 * out.stat().st_size}
        return Encoded(out, bits, setting, shown.replace(str(source), source.name), seconds)

    def decode(self, clip: Clip, encoded: Encoded, scratch: Path) -> Iterator[Frame]:
        """Run the decoder, then read its raw file frame by frame."""
        out = (scratch / f"{encoded.path.stem}.decoded").absolute()
        out.unlink(missing_ok=True)
        command = self._fill(self._decode, clip, stream=encoded.path.absolute(), output=out)
        size = clip.width * clip.height * 3
        try:
            run_program(command, self.name, scratch)
            wrote = out.stat().st_size if out.is_file() else 0
            if wrote != clip.frames * size:
                raise EvaluationError(
                    f"{self.name}: its decoder wrote {wrote} bytes, not {clip.frames} frames of "
                    f"{size}"
                )
            with out.open("rb") as file:
                while data := file.read(size):
                    if self._pixels == "rgb24":
                        yield np.frombuffer(data, np.uint8).reshape(clip.height, clip.width, 3)
                    else:
                        yield planes_to_rgb(data, clip.width, clip.height)
        finally:
            out.unlink(missing_ok=True)

    def _fill(self, command: str, clip: Clip, **values: object) -> list[str]:
        values |= {"width": clip.width, "height": clip.height, "frames": clip.frames}
        values["fps"] = clip.fps  # 25, or 30000/1001
        # Words first, values then, each once: no value is ever read as anything else.
        return [
            re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), word)
            for word in shlex.split(command)
        ]


def _rgb(clip: Clip, folder: Path) -> Path:
    path = folder / "frames.rgb"
    if not path.exists():
        with whole_file(path, overwrite=True) as file:
            for frame in clip.rgb():
                file.write(frame.tobytes())
    return path
