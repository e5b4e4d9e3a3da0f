"""The choice of a precision, with made-up processors and times."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

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

Machine = Callable[..., list[list[Precision]]]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
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
        precision._tested.cache_clear()
        return asked

    yield set_up
    precision._tested.cache_clear()


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
