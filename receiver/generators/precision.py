"""Chooses the arithmetic in which a network runs on this processor, by a short self-test.

bf16 is tried if the processor can multiply in it, and int8 if the network has an int8 graph. A
precision may be chosen if its picture looks the same as that of float32. The fastest of these is
taken, but int8 only if it is clearly faster. The result is kept on disk (`remembered.py`).
"""

from __future__ import annotations

import logging
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from ...codec.errors import ConfigError
from ...codec.motion.frame import MotionFrame
from ...models.face.mesh import POINTS
from ...models.weights.runtime_graphs import GRAPHS_FILE, graph_parts, graphs_digest
from ..config import Precision
from .openvino import OpenVinoGenerator
from .remembered import recall, remember

if TYPE_CHECKING:
    from ...models.weights import Card

__all__ = [
    "PRECISIONS",
    "SelfTest",
    "Trial",
    "capabilities",
    "choose",
    "missing",
    "require",
    "self_test",
]

PRECISIONS: tuple[Precision, ...] = tuple(p for p in get_args(Precision) if p != "auto")
"""The precisions in which a network can run."""

_WARM, _TIMED = 1, 5
_CLEARLY = 0.9  # of the time of the fastest other one
_MOST_DIFFERENCE = 1.0  # levels; bf16 and int8 give 0.2 to 0.3, rounded coordinates about 10
_log = logging.getLogger(__name__)


def capabilities() -> list[str]:
    """The formats that the processor can multiply in, by OpenVINO: `FP32`, `BF16`, `INT8`, …"""
    import openvino as ov

    return [str(name) for name in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")]


def missing(card: Card, precision: Precision) -> str | None:
    """Why a network cannot run in a precision here; None if it can."""
    if precision == "bf16" and "BF16" not in capabilities():
        return "this processor does not multiply in bf16"
    if precision == "int8" and "frame_int8" not in graph_parts(card):
        return (
            f"{card.folder / GRAPHS_FILE} holds no int8 graph: "
            f"`facewire export {card.folder} --calibrate CACHE --force` adds it"
        )
    return None


def require(card: Card, precision: Precision) -> None:
    """Raise a `ConfigError` with the reason if a precision is not available."""
    reason = missing(card, precision)
    if reason:
        raise ConfigError(f"{card.name} cannot run in {precision}: {reason}")


def choose(card: Card, threads: int | None = None, *, stored: bool = True) -> Precision:
    """The precision for a network on this machine.

    Args:
        card: of the network.
        threads: CPU threads; None lets the runtime choose.
        stored: the network runs with the weights as stored; otherwise int8 is no choice.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    can = [name for name in PRECISIONS if missing(card, name) is None]
    if not set(can) - {"float32"} - (set() if stored else {"int8"}):
        return "float32"
    chosen = self_test(card, threads).choice(stored=stored)
    _log.info("%s runs in %s here", card.name, chosen)
    return chosen


@dataclass(frozen=True)
class Trial:
    """The result of one precision.

    Attributes:
        seconds: the time for a frame, the best of a few.
        difference: the mean difference of a frame from that of float32, in levels of 255.
    """

    seconds: float
    difference: float

    @property
    def keeps_the_picture(self) -> bool:
        """Whether nobody could tell the picture from that of float32."""
        return self.difference <= _MOST_DIFFERENCE


@dataclass(frozen=True)
class SelfTest:
    """The results of all precisions of a network on this machine.

    Attributes:
        trials: the results of the precisions that are available; float32 is among them.
        seconds: how long the test took when it ran.
    """

    trials: Mapping[Precision, Trial]
    seconds: float

    def choice(self, *, stored: bool = True) -> Precision:
        """The fastest precision that keeps the picture; int8 only if it is clearly faster, and if
        the weights run as `stored`.
        """
        good = {name: t.seconds for name, t in self.trials.items() if t.keeps_the_picture}
        int8 = good.pop("int8", math.inf)
        best = min(good, key=lambda name: good[name])
        return "int8" if stored and int8 < _CLEARLY * good[best] else best


def self_test(card: Card, threads: int | None = None, *, again: bool = False) -> SelfTest:
    """Run a few frames in each precision that is available, unless a result is on disk.

    Args:
        card: of the network.
        threads: CPU threads; None lets the runtime choose.
        again: run it in any case, and keep the new result.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    can = [name for name in PRECISIONS if missing(card, name) is None]
    key = _key(card, can, threads)
    test = None if again else _recalled(key, can)
    if test is None:
        start = time.perf_counter()
        trials = _trials(card, can, threads)
        test = SelfTest(trials, time.perf_counter() - start)
        _log.info("self-test of %s: %s", card.name, trials)
        numbers = {str(name): [t.seconds, t.difference] for name, t in trials.items()}
        remember(key, {**numbers, _WHOLE: [test.seconds]})
    return test


_WHOLE = "whole"


def _key(card: Card, precisions: Sequence[Precision], threads: int | None) -> dict[str, str]:
    """Everything that decides which precision is the fastest, and whether it keeps the picture."""
    import openvino as ov

    return {
        "processor": str(ov.Core().get_property("CPU", "FULL_DEVICE_NAME")),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "openvino": ov.get_version(),
        "weights": card.sha256.hex(),
        "graphs": graphs_digest(card),
        "precisions": " ".join(precisions),
        "threads": str(threads),
    }


def _recalled(key: Mapping[str, str], precisions: Sequence[Precision]) -> SelfTest | None:
    """The result on disk, if it is complete."""
    numbers = recall(key) or {}
    sizes = {str(name): 2 for name in precisions} | {_WHOLE: 1}
    if {name: len(row) for name, row in numbers.items()} != sizes:
        return None
    trials = {name: Trial(*numbers[name]) for name in precisions}
    exact = trials.get("float32")
    if exact is None or not exact.keeps_the_picture:
        return None
    return SelfTest(trials, numbers[_WHOLE][0])


def _trials(
    card: Card, precisions: Sequence[Precision], threads: int | None
) -> dict[Precision, Trial]:
    """Render frames of noise in each precision, in turn.

    In this way, whatever else the machine does slows all of them down, and the best time is the
    least disturbed one. On noise, a rounded coordinate is more visible than on faces.
    """
    rng = np.random.default_rng(0)
    size = int(card.config["size"])
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    still = MotionFrame(rng.uniform(-0.4, 0.4, (10, 2)).astype(np.float32), eye)
    moved = MotionFrame(still.value + np.float32(0.02), eye)
    points = rng.uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)
    picture = rng.integers(0, 256, (size, size, 3), np.uint8)
    generators = [OpenVinoGenerator(card, threads, precision) for precision in precisions]
    sources = [generator.set_source(picture, still, points) for generator in generators]
    spent = np.empty((_WARM + _TIMED, len(generators)))
    frames = [picture] * len(generators)
    for turn in range(_WARM + _TIMED):
        for index, (generator, source) in enumerate(zip(generators, sources, strict=True)):
            start = time.perf_counter()
            frames[index] = generator.render(source, moved, None)
            spent[turn, index] = time.perf_counter() - start
    exact = frames[precisions.index("float32")].astype(np.int16)
    return {
        name: Trial(float(seconds), float(np.abs(frame - exact).mean()))
        for name, seconds, frame in zip(precisions, spent[_WARM:].min(0), frames, strict=True)
    }
