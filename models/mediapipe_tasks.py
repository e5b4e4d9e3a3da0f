"""MediaPipe, loaded when it is first needed, and kept from writing notes to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..codec.errors import MissingExtraError, WeightsError

__all__ = ["checked_model", "hushed", "load_vision"]


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep MediaPipe's start-up notes off stderr; no setting of its own stops them.

    Errors come as exceptions and are not lost.
    """
    try:
        sys.stderr.flush()
        saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    except (OSError, AttributeError):  # no stderr at all, as under pythonw
        yield
        return
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


@contextlib.contextmanager
def checked_model(path: Path) -> Iterator[None]:
    """A model file that MediaPipe refuses is a matter of weights."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        raise WeightsError(f"{path} is not a model that MediaPipe can run: {error}") from error


def load_vision() -> tuple[Any, Any, Any]:
    """The modules `mediapipe`, `BaseOptions` and `vision`.

    Raises:
        MissingExtraError: mediapipe is not installed.
    """
    try:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise MissingExtraError("face tracking", "encode") from error
    return mediapipe, BaseOptions, vision
