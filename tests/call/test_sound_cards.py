"""`facewire call` twice, each with a microphone and a loudspeaker of PulseAudio."""

from __future__ import annotations

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from facewire.cli.demo.voice import make_voice

from .programs import Start
from .pulse import Sound, lags, needs_pulse, pulse

for _module in ("aiortc", "aiohttp", "cryptography"):
    pytest.importorskip(_module)
cv2 = pytest.importorskip("cv2")

pytestmark = [pytest.mark.slow, needs_pulse]

SPEAKS_S = 14.0
LONGEST_S = 4.0
"""A sound that comes later is not found."""
ALIKE = 0.5
"""Two pieces of different voices, or of one voice at different times, reach 0.4."""
CARDS_S = 1.0
"""What the sound cards and the programs' way to them may take, on a busy machine."""


def test_from_microphone_to_loudspeaker(
    start: Start, frames: list[npt.NDArray[np.uint8]], tmp_path: Path
) -> None:
    """Both speak at the same time. Each voice comes out of the other's loudspeaker, as late as the
    call says, and at most so much later as the sound cards may take.

    In place of a camera, a photograph speaks. No window is opened, because it needs a display.
    """
    photo, recording = tmp_path / "me.png", tmp_path / "cards.raw"
    cv2.imwrite(str(photo), frames[0][..., ::-1])
    names = ("one", "two")
    logs = {name: tmp_path / f"{name}.jsonl" for name in names}
    words = {
        name: ["--yes", "--network", "xs", "--speak", str(photo), "--stats", str(logs[name])]
        for name in names
    }
    with pulse(tmp_path, ["ear-one", "mouth-one", "ear-two", "mouth-two"]) as cards:
        changes = {
            name: {
                "FACEWIRE_TEST_REAL": "1",
                "FACEWIRE_TEST_BLIND": "1",
                **cards.variables(f"ear-{name}", f"mouth-{name}"),
            }
            for name in names
        }
        one = start("one", "call", *words["one"], variables=changes["one"])
        two = start("two", "call", *words["two"], one.link(), variables=changes["two"])
        for side in (one, two):
            side.waits_for("the picture is signed", 200)
        began = time.time()
        with cards.recording(recording), ThreadPoolExecutor() as pool:
            for seed, name in enumerate(names):
                pcm = make_voice(SPEAKS_S, np.random.default_rng(seed)).pcm
                pool.submit(cards.play, f"ear-{name}", pcm)
            time.sleep(SPEAKS_S + LONGEST_S)
        ended = time.time()
        two.signal(signal.SIGINT)
        assert two.wait() == 130, two.said
        assert one.wait() == 0, one.said
    rows = {name: _rows(logs[name], began, ended) for name in names}
    for name, other in (names, names[::-1]):
        heard = cards.recorded(recording, f"ear-{name}")
        played = cards.recorded(recording, f"mouth-{other}")
        _is_as_late_as_said(heard, played, _said(rows[name], rows[other]))


def _rows(log: Path, began: float, ended: float) -> list[dict[str, Any]]:
    """What a side wrote between two times of day."""
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    return [row for row in rows if began < row["time"] < ended]


def _said(own: list[dict[str, Any]], peer: list[dict[str, Any]]) -> list[float]:
    """How late sound of one side was at the other, as the two programs count it, in seconds: from
    when a program had it to when the other one gave it to its loudspeaker.
    """
    origin = min(row["time"] - row["call"]["own_s"] for row in own)
    heard = [(row["time"], row["call"]["sound_s"]) for row in peer]
    return [at - origin - sound for at, sound in heard if sound is not None]


def _is_as_late_as_said(heard: Sound, played: Sound, said: list[float]) -> None:
    pieces = lags(heard, played, longest_s=LONGEST_S)
    late = [seconds for seconds, alike in pieces if alike > ALIKE]
    assert late, pieces
    assert said
    median, counted = np.median(late), np.median(said)
    print(f"microphone to loudspeaker: {median:.2f} s; {counted:.2f} s without the sound cards")
    assert min(late) > min(said) / 2, said  # it is written once a second, and changes meanwhile
    assert max(late) < max(said) + CARDS_S, said
