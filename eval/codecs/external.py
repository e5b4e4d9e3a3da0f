"""Anybody's command-line codec, described in a TOML file; no code is touched.

    [codec.mine]
    about = "my codec, fast"
    encode = "myenc -w {width} -h {height} -f {fps} -b {setting} {input} {stream}"
    decode = "mydec {stream} {output}"
    pixels = "yuv420p10le"        # or "rgb24": format of the raw files {input} and {output}
    version = "myenc --version"   # its first line is kept; optional
    suffix = ".mine"
    [codec.mine.knob]             # what {setting} is; without it: a bitrate in bit/s
    name = "QP"
    low = 0
    high = 63
    step = 1
    start = 40
    slope = -0.1                  # change of ln(bits) per unit; leave it out for a bitrate

The commands are run without a shell, in a folder of their own. `{frames}` is the number of frames.
All that `{stream}` holds is counted.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
import subprocess
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from ...codec.errors import ConfigError, EvaluationError
from ..clips import Clip
from .base import Knob
from .command import CommandCodec, output_of

__all__ = ["External", "read_codecs"]

_COMMON = {"stream", "width", "height", "fps", "frames"}
_FIELDS = {"encode": {"input", "setting", *_COMMON}, "decode": {"output", *_COMMON}}
_NEEDED = {"encode": ("input", "stream"), "decode": ("stream", "output")}
_RATE = Knob("bitrate", 100, 100_000_000, 0.002)


class _KnobTable(msgspec.Struct, forbid_unknown_fields=True):
    low: float
    high: float
    name: str = "setting"
    step: Annotated[float, Meta(gt=0)] = 1.0
    start: float = 0.0
    slope: float | None = None
    tries: Annotated[int, Meta(gt=0)] = 8


class _Table(msgspec.Struct, forbid_unknown_fields=True):
    encode: str
    decode: str
    about: str = ""
    pixels: Literal["yuv420p10le", "rgb24"] = "yuv420p10le"
    version: str = ""
    suffix: Annotated[str, Meta(pattern=r"^(\.\w{1,16})?$")] = ""
    knob: _KnobTable | None = None


def read_codecs(path: Path) -> list[External]:
    """The codecs that a TOML file describes.

    Raises:
        ConfigError: the file is not such a description; the sentence names the codec and the key.
    """
    try:
        tables = msgspec.toml.decode(path.read_bytes())
    except (OSError, ValueError) as error:  # also UnicodeDecodeError and msgspec.DecodeError
        raise ConfigError(f"{path} is not a TOML file that can be read: {error}") from error
    codecs = tables.get("codec")
    if not isinstance(codecs, dict) or not codecs:
        raise ConfigError(f"{path} describes no codec: it needs a table [codec.NAME]")
    return [_codec(f"{path}, codec {name}", name, table) for name, table in codecs.items()]


def _codec(where: str, name: str, table: Any) -> External:
    if not re.fullmatch(r"[\w.+-]{1,40}", name):
        raise ConfigError(f"{where}: a name has letters, digits and . + - _ alone")
    try:
        found = msgspec.convert(table, _Table)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{where}: {error}") from error
    for key in _FIELDS:
        _check_command(where, key, getattr(found, key))
    _words(where, "version", found.version)
    return External(name, found, _knob(where, found.knob))


def _check_command(where: str, key: str, command: str) -> None:
    if not _words(where, key, command):
        raise ConfigError(f"{where}: {key} must be a command line")
    used = set(re.findall(r"{(\w*)}", command))
    if unknown := used - _FIELDS[key]:
        known = ", ".join(sorted(_FIELDS[key]))
        raise ConfigError(f"{where}: {key} uses {{{sorted(unknown)[0]}}}; known are {known}")
    for name in _NEEDED[key]:
        if name not in used:
            raise ConfigError(f"{where}: {key} must name {{{name}}}")


def _words(where: str, key: str, command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError as error:  # a quote that is not closed
        raise ConfigError(f"{where}: {key} is no command line: {error}") from error


def _knob(where: str, table: _KnobTable | None) -> Knob:
    if table is None:
        return _RATE
    found = msgspec.to_builtins(table)
    for key, value in found.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{where}: knob: {key} cannot be {value}")
    if not table.low < table.high or table.slope == 0:
        raise ConfigError(f"{where}: knob needs low < high, and a slope that is not 0")
    if table.slope is None and table.low <= 0:
        raise ConfigError(f"{where}: knob without a slope is a rate in bit/s: low is above 0")
    return Knob(**found)


class External(CommandCodec):
    """A codec behind two command lines."""

    def __init__(self, name: str, table: _Table, knob: Knob) -> None:
        self.name, self.knob, self._table = name, knob, table
        self.about = table.about or f"external command: {shlex.split(table.encode)[0]}"
        self.suffix, self.pixels = table.suffix or ".bin", table.pixels

    def versions(self) -> dict[str, str]:
        """The first line that its version command prints."""
        version = self._table.version
        if not version:
            return {self.name: "unknown"}
        try:
            lines = output_of(shlex.split(version)).strip().splitlines()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EvaluationError(f"{self.name}: {version!r} does not run: {error}") from error
        return {self.name: lines[0][:200] if lines else "unknown"}

    def identity(self) -> str:
        """Also the command lines."""
        table = self._table
        digest = hashlib.sha256(f"{table.encode}\0{table.decode}\0{table.pixels}".encode())
        return super().identity() + digest.hexdigest()

    def encoding(self, clip: Clip, setting: float, source: Path, stream: Path) -> list[list[str]]:
        """The command of the table."""
        # Never as 1e+06: programs that read whole numbers do not know it.
        number = np.format_float_positional(setting, trim="-")
        return [self._fill(self._table.encode, clip, input=source, stream=stream, setting=number)]

    def decoding(self, clip: Clip, stream: Path, output: Path) -> list[str]:
        """The command of the table."""
        return self._fill(self._table.decode, clip, stream=stream, output=output)

    def _fill(self, command: str, clip: Clip, **values: object) -> list[str]:
        values |= {"width": clip.width, "height": clip.height, "frames": clip.frames}
        values["fps"] = clip.fps  # 25, or 30000/1001
        # Words first, values then, each once: no value is ever read as anything else.
        return [
            re.sub(r"{(\w+)}", lambda found: str(values[found[1]]), word)
            for word in shlex.split(command)
        ]
