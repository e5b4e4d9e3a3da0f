"""Programs that are ended with their test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .programs import Process, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Process] = []

    def begin(name: str, *words: str, **settings: Any) -> Process:
        started.append(Process(tmp_path, name, *words, **settings))
        return started[-1]

    yield begin
    for process in started:
        process.end()
