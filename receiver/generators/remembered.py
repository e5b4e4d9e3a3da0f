"""Keeps results of self-tests on disk, so that a machine runs each test only once.

A file in the cache folder holds the newest results. It is replaced as a whole. If it cannot be read
or written, or holds nonsense, the test runs again.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...codec.whole_file import whole_file
from ...models.cache_folder import cache_folder

__all__ = ["FILE", "recall", "remember"]

FILE = "self-tests.json"
_MOST = 64
"""Results that are kept; the oldest are dropped."""
_LARGEST = 1 << 20
_log = logging.getLogger(__name__)


def recall(key: Mapping[str, str]) -> dict[str, list[float]] | None:
    """The numbers that are stored under a key, by their names; None if there are none.

    Args:
        key: everything that the result depends on.

    Returns:
        Finite numbers, none negative.
    """
    for entry in _entries():
        if entry["key"] == dict(key):
            return {name: [float(n) for n in numbers] for name, numbers in entry["numbers"].items()}
    return None


def remember(key: Mapping[str, str], numbers: Mapping[str, list[float]]) -> None:
    """Store numbers under a key, in place of older ones. If that is impossible, do nothing."""
    entries = [entry for entry in _entries() if entry["key"] != dict(key)]
    entries.append({"key": dict(key), "numbers": dict(numbers)})
    path = _path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, overwrite=True) as file:
            file.write(json.dumps(entries[-_MOST:], indent=1).encode())
    except OSError as error:
        _log.info("the self-test could not be kept for the next start: %s", error)


def _path() -> Path:
    return cache_folder() / FILE


def _entries() -> list[dict[str, Any]]:
    """What is stored, without anything that does not have the right form."""
    path = _path()
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return []
        entries = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return []
    return [entry for entry in entries if _sound(entry)] if isinstance(entries, list) else []


def _sound(entry: Any) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("key"), dict):
        return False
    numbers = entry.get("numbers")
    return isinstance(numbers, dict) and all(
        isinstance(row, list)
        and all(type(n) in (int, float) and math.isfinite(n) and n >= 0 for n in row)
        for row in numbers.values()
    )
