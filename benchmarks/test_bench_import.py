"""What importing costs, in CPU seconds of a fresh interpreter (an empty one is subtracted)."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import Any

import pytest

SCRIPTS = {
    "facewire": "import facewire",
    "the decoder": "from facewire import Decoder, DecoderConfig, Packet, PictureOutput; Decoder()",
    "the encoder": "from facewire import Encoder, EncoderConfig",
}


def cpu_seconds(script: str) -> float:
    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    subprocess.run([sys.executable, "-c", script], check=True)
    return spent() - before


@pytest.mark.parametrize("what", SCRIPTS)
@pytest.mark.benchmark(group="import, a fresh interpreter")
def test_import(benchmark: Any, what: str) -> None:
    benchmark.pedantic(cpu_seconds, args=(SCRIPTS[what],), rounds=5, warmup_rounds=1)
    seconds = min(cpu_seconds(SCRIPTS[what]) - cpu_seconds("pass") for _ in range(5))
    benchmark.extra_info["CPU seconds beyond an empty interpreter"] = round(seconds, 3)
