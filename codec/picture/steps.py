"""Work in pieces, for callers who cannot wait for all of it: a generator that rests after each."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

__all__ = ["Steps", "finish"]

T = TypeVar("T")
Steps = Generator[None, None, T]
"""What the work gives is what the generator returns at its end."""


def finish(steps: Steps[T]) -> T:
    """All the rest at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
