"""The choice of a precision, with made-up processors and times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from facewire.codec.errors import ConfigError
from facewire.models.weights import Card, load_card
from facewire.receiver import precision
from facewire.receiver.output import Precision
from facewire.receiver.precision import PRECISIONS, choose, frame_times, missing, require
from facewire.receiver.runtime import load_generator

Machine = Callable[..., list[list[Precision]]]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Sets up a processor; returns the list of what will have been timed."""

    def set_up(capabilities: Sequence[str], graph: bool, **times: float) -> list[list[Precision]]:
        asked: list[list[Precision]] = []

        def timed(
            card: Card, wanted: Sequence[Precision], threads: int | None = None
        ) -> dict[Precision, float]:
            asked.append(list(wanted))
            return {name: times[name] for name in wanted}

        parts = ["frame", "source"] + ["frame_int8"] * graph
        monkeypatch.setattr(precision, "capabilities", lambda: list(capabilities))
        monkeypatch.setattr(precision, "graph_parts", lambda card: parts)
        monkeypatch.setattr(precision, "frame_times", timed)
        precision._chosen.cache_clear()
        return asked

    return set_up


@pytest.mark.parametrize(
    ("capabilities", "graph", "times", "chosen"),
    [
        (["FP32", "BF16"], True, {"bf16": 1.0, "float32": 2.0}, "bf16"),
        (["FP32", "BF16"], False, {"bf16": 2.0, "float32": 1.0}, "float32"),
        (["FP32", "INT8"], True, {"int8": 1.0, "float32": 2.0}, "int8"),
        (["FP32", "INT8"], True, {"int8": 2.0, "float32": 1.0}, "float32"),
    ],
)
def test_bf16_else_int8_and_never_a_slower_one(
    capabilities: list[str], graph: bool, times: dict[str, float], chosen: str, machine: Machine
) -> None:
    asked = machine(capabilities, graph, **times)
    assert choose(load_card("s")) == chosen
    assert asked == [list(times)]


def test_nothing_to_choose_from_is_not_timed(machine: Machine) -> None:
    asked = machine(["FP32"], False)
    assert choose(load_card("s")) == "float32"
    assert asked == []


def test_the_choice_is_kept_for_weights_and_threads(machine: Machine) -> None:
    asked = machine(["FP32"], True, int8=1.0, float32=2.0)
    card = load_card("s")
    for _ in range(2):
        assert choose(card, 1) == "int8"
    assert len(asked) == 1
    choose(card, 2)
    choose(replace(card, sha256=bytes(32)), 2)
    assert len(asked) == 3


def test_changed_weights_are_not_run_in_int8(machine: Machine) -> None:
    machine(["FP32"], True)
    assert choose(load_card("s"), stored=False) == "float32"


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
    card = load_card("s")
    wanted = [name for name in PRECISIONS if missing(card, name) is None]
    times = frame_times(card, wanted, 1)
    assert list(times) == wanted
    assert min(times.values()) > 0
