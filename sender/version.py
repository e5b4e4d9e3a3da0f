"""`ENCODER_VERSION`: which encoder made a stream."""

from __future__ import annotations

__all__ = ["ENCODER_VERSION"]

ENCODER_VERSION = 13
"""Raise it with every change after which the same input gives another stream. `codec-eval` does not
use streams of another version again. `tests/sender/test_version.py` notices a forgotten change.
"""
