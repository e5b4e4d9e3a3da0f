"""Names made of content, and CPU time."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["SPEED_CLOCK", "cpu_seconds", "digest", "file_sha256"]

SPEED_CLOCK = "wall" if resource is None else "cpu"
"""What `cpu_seconds` measures here: CPU time, or the time of the wall clock."""


def digest(parts: Iterable[object]) -> str:
    """Hex SHA-256 of some values, the first 32 digits."""
    text = json.dumps([str(part) for part in parts])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """Hex SHA-256 of a file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cpu_seconds() -> float:
    """CPU time of this process and of the programs that it has run, in seconds.

    Other work on the machine does not count, unlike in a clock's time. On Windows the programs'
    time cannot be asked for, and the clock's time is given instead.
    """
    if resource is None:
        return time.perf_counter()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)
