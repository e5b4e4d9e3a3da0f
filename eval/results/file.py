"""`results.json` on disk. Files appear whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from ...codec.errors import ConfigError
from ...codec.whole_file import whole_path
from .schema import Results, from_json, to_json

__all__ = ["json_text", "read_results", "write_results"]

MAX_BYTES = 256 << 20  # of a results file: a million clips by a codec


def json_text(results: Results) -> str:
    """The content of `results.json`.

    Raises:
        ConfigError: a metric has the name of one of a row's own keys.
    """
    return json.dumps(to_json(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_results(results: Results, path: Path) -> None:
    """Write `results.json`; it appears whole or not at all.

    Raises:
        ConfigError: a metric has the name of one of a row's own keys.
        OSError: the disk is full, or the folder cannot be written to.
    """
    text = json_text(results)
    with whole_path(path, overwrite=True) as draft:
        draft.write_text(text, encoding="utf-8")


def read_results(path: Path) -> Results:
    """Read and check a `results.json`.

    Raises:
        ConfigError: the file is not JSON (or is cut off), of another version, or not of the schema.
        OSError: the file cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"larger than {MAX_BYTES >> 20} MiB")
        return from_json(msgspec.json.decode(path.read_bytes()))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply to be codec-eval's results") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not JSON, or cut off: {error}") from error
