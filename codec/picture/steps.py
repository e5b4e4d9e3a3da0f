"""Work in pieces, for callers that cannot wait for all of it at once."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

__all__ = ["Steps", "finish"]

T = TypeVar("T")
Steps = Generator[None, None, T]
"""A generator that yields after each piece of work, and returns the result at its end."""


def finish(steps: Steps[T]) -> T:
    """Do all the remaining work at once, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
