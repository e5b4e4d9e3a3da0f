"""The choice of a precision, with made-up processors and times."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facewire.codec.errors import ConfigError
from facewire.codec.motion.frame import MotionFrame
from facewire.models.weights import Card, load_card
from facewire.receiver.config import Precision
from facewire.receiver.generators import precision
from facewire.receiver.generators.load import load_generator
from facewire.receiver.generators.openvino import OpenVinoGenerator
from facewire.receiver.generators.precision import (
    PRECISIONS,
    Trial,
    choose,
    missing,
    require,
    self_test,
)
from facewire.receiver.generators.protocol import Array, Frame, Source
from facewire.receiver.generators.remembered import FILE

Machine = Callable[..., list[list[Precision]]]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, in which results are remembered."""
    monkeypatch.setenv("FACEWIRE_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Sets up a processor with seconds a frame; returns the list of what will have been timed."""

    def set_up(
        capabilities: Sequence[str], graph: bool, rough: str = "", **times: float
    ) -> list[list[Precision]]:
        asked: list[list[Precision]] = []

        def trials(
            card: Card, wanted: Sequence[Precision], threads: int | None
        ) -> dict[Precision, Trial]:
            asked.append(list(wanted))
            return {name: Trial(times[name], 5.0 if name == rough else 0.1) for name in wanted}

        parts = ["frame", "source"] + ["frame_int8"] * graph
        monkeypatch.setattr(precision, "capabilities", lambda: list(capabilities))
        monkeypatch.setattr(precision, "graph_parts", lambda card: parts)
        monkeypatch.setattr(precision, "_trials", trials)
        return asked

    return set_up


@pytest.mark.parametrize(
    ("times", "rough", "chosen"),
    [
        ({"bf16": 1.0, "int8": 1.2, "float32": 2.0}, "", "bf16"),
        ({"bf16": 1.0, "int8": 0.8, "float32": 2.0}, "", "int8"),
        ({"bf16": 1.0, "int8": 0.95, "float32": 2.0}, "", "bf16"),
        ({"bf16": 2.0, "int8": 2.0, "float32": 1.0}, "", "float32"),
        ({"bf16": 1.0, "int8": 0.5, "float32": 2.0}, "int8", "bf16"),
        ({"bf16": 1.0, "int8": 1.5, "float32": 2.0}, "bf16", "int8"),
        ({"int8": 1.0, "float32": 2.0}, "", "int8"),
        ({"int8": 1.0, "float32": 2.0}, "int8", "float32"),
        ({"int8": 1.95, "float32": 2.0}, "", "float32"),
        ({"bf16": 1.0, "float32": 2.0}, "", "bf16"),
    ],
)
def test_the_fastest_that_keeps_the_picture_and_int8_by_a_lead(
    times: dict[str, float], rough: str, chosen: str, machine: Machine
) -> None:
    asked = machine(
        ["FP32", "BF16"] if "bf16" in times else ["FP32"], "int8" in times, rough, **times
    )
    assert choose(load_card("s")) == chosen
    assert asked == [list(times)]


def test_nothing_to_choose_from_is_not_timed(machine: Machine) -> None:
    asked = machine(["FP32"], False)
    assert choose(load_card("s")) == "float32"
    assert asked == []


def test_the_test_is_kept_for_weights_and_threads(machine: Machine) -> None:
    asked = machine(["FP32"], True, int8=1.0, float32=2.0)
    card = load_card("s")
    for _ in range(2):
        assert choose(card, 1) == "int8"
    assert len(asked) == 1
    choose(card, 2)
    choose(replace(card, sha256=bytes(32)), 2)
    assert len(asked) == 3


def test_the_test_is_remembered_on_disk_and_repeated_on_demand(
    machine: Machine, cache: Path
) -> None:
    card = load_card("s")
    asked = machine(["FP32"], True, int8=1.0, float32=2.0)
    first = self_test(card, 1)
    assert (cache / FILE).is_file()
    assert self_test(card, 1) == first
    assert len(asked) == 1
    asked = machine(["FP32"], True, int8=3.0, float32=2.0)
    assert choose(card, 1) == "int8"
    assert self_test(card, 1, again=True).choice() == "float32"
    assert choose(card, 1) == "float32"
    assert len(asked) == 1
    machine(["FP32", "BF16"], True, bf16=1.0, int8=3.0, float32=2.0)  # another processor
    assert choose(card, 1) == "bf16"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00 not JSON",
        b"[" * 100_000,
        b"{}",
        b'[1, {}, {"key": 3}, {"key": {}, "numbers": {"int8": ["fast"]}}]',
        b"[" + b" " * (1 << 21) + b"]",
    ],
)
def test_a_damaged_memory_is_harmless(content: bytes, machine: Machine, cache: Path) -> None:
    asked = machine(["FP32"], True, int8=1.0, float32=2.0)
    (cache / FILE).write_bytes(content)
    for _ in range(2):
        assert choose(load_card("s")) == "int8"
    assert len(asked) == 1


@pytest.mark.parametrize("numbers", [[-1.0, 0.1], [float("nan"), 0.1], [1e-9], [True, 0], None])
def test_nonsense_in_the_memory_is_not_believed(
    numbers: object, machine: Machine, cache: Path
) -> None:
    asked = machine(["FP32"], True, int8=3.0, float32=2.0)
    choose(load_card("s"))
    entries = json.loads((cache / FILE).read_bytes())
    entries[0]["numbers"]["int8"] = numbers
    (cache / FILE).write_text(json.dumps(entries))
    assert choose(load_card("s")) == "float32"
    assert len(asked) == 2


def test_a_memory_that_cannot_be_written_is_harmless(
    machine: Machine, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("FACEWIRE_CACHE", str(cache / "file" / "folder"))
    asked = machine(["FP32"], True, int8=1.0, float32=2.0)
    for _ in range(2):
        assert choose(load_card("s")) == "int8"
    assert len(asked) == 2


def test_the_memory_is_bounded(machine: Machine, cache: Path) -> None:
    machine(["FP32"], True, int8=1.0, float32=2.0)
    for number in range(70):
        self_test(replace(load_card("s"), sha256=bytes([number]) * 32))
    assert len(json.loads((cache / FILE).read_bytes())) == 64


def test_changed_weights_are_not_run_in_int8_and_not_tested_again(machine: Machine) -> None:
    asked = machine(["FP32"], True)
    card = load_card("s")
    assert choose(card, stored=False) == "float32"
    assert asked == []
    asked = machine(["FP32", "BF16"], True, bf16=1.0, int8=0.5, float32=2.0)
    assert choose(card) == "int8"
    assert choose(card, stored=False) == "bf16"
    assert len(asked) == 1


def test_what_cannot_be_had_has_a_reason(machine: Machine) -> None:
    machine(["FP32"], False)
    card = load_card("s")
    assert missing(card, "float32") is None
    with pytest.raises(ConfigError, match="does not multiply in bf16"):
        require(card, "bf16")
    with pytest.raises(ConfigError, match="--calibrate"):
        load_generator(card, precision="int8")
    with pytest.raises(ConfigError, match="torch backend does not run in int8"):
        load_generator(card, "torch", precision="int8")


def test_the_self_test_runs_frames() -> None:
    card = load_card("xs")
    test = self_test(card, 1)
    assert list(test.trials) == [name for name in PRECISIONS if missing(card, name) is None]
    assert 0 < min(trial.seconds for trial in test.trials.values()) < test.seconds
    assert all(trial.keeps_the_picture for trial in test.trials.values())
    assert [name for name, trial in test.trials.items() if not trial.difference] == ["float32"]


def test_rounded_coordinates_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shifted(OpenVinoGenerator):
        """Half a pixel off, as with coordinates of eight bits."""

        def __init__(self, card: Card, threads: int | None, precision: Precision) -> None:
            super().__init__(card, threads)
            self.shift = np.float32(0.5 * 2 / 256 if precision == "int8" else 0)

        def render(self, source: Source, motion: MotionFrame, mel: Array | None) -> Frame:
            return super().render(
                source, MotionFrame(motion.value + self.shift, motion.jacobian), mel
            )

    monkeypatch.setattr(precision, "OpenVinoGenerator", Shifted)
    trials = precision._trials(load_card("xs"), ["int8", "float32"], 1)
    assert trials["float32"].difference == 0
    assert not trials["int8"].keeps_the_picture
