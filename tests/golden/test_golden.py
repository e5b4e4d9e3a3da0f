"""Golden streams must always decode to the same pictures and numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .make import describe

FOLDER = Path(__file__).parent
STREAMS = sorted(FOLDER.glob("*.fwire"))


def test_they_are_there() -> None:
    assert {path.stem for path in STREAMS} >= {
        "v1-fp16-av1-opus",
        "v1-fp16-av1-ms",
        "v1-fp16-webp-opus20",
        "v1-fp16-av1-identity",
        "v1-entropy-av1-references",
        "v1-entropy2-av1",
        "v1-entropy2-av1-base",
        "v1-entropy2-av1-light",
        "v1-entropy3-av1-gaze",
    }


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    found = describe(path)
    # Opus decoders may differ in the last bits (RFC 6716, 6), so sound is compared by loudness.
    assert found.pop("rms") == pytest.approx(expected.pop("rms"), abs=2e-3)
    assert found == expected
