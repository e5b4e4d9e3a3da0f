"""Which arithmetic runs a network on this processor: chosen at start by a short self-test.

bf16 is tried where the processor multiplies in it, int8 where the network has such a graph. What
keeps float32's picture may be chosen, and of that the fastest; int8 only where it is clearly so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

import numpy as np

from ...codec.errors import ConfigError
from ...codec.motion.frame import MotionFrame
from ...models.face.mesh import POINTS
from ...models.weights.runtime_graphs import GRAPHS_FILE, graph_parts
from ..config import Precision
from .openvino import OpenVinoGenerator

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
"""What a network can run in."""

_WARM, _TIMED = 1, 5
_CLEARLY = 0.9  # of the time of the fastest other one
_MOST_DIFFERENCE = 1.0  # levels; bf16 and int8 give 0.2 to 0.3, rounded coordinates about 10


def capabilities() -> list[str]:
    """What OpenVINO says that the processor multiplies in: `FP32`, `BF16`, `INT8`, …"""
    import openvino as ov

    return [str(name) for name in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")]


def missing(card: Card, precision: Precision) -> str | None:
    """Why a network cannot run in a precision here; None where it can."""
    if precision == "bf16" and "BF16" not in capabilities():
        return "this processor does not multiply in bf16"
    if precision == "int8" and "frame_int8" not in graph_parts(card):
        return (
            f"{card.folder / GRAPHS_FILE} holds no int8 graph: "
            f"`facewire export {card.folder} --calibrate CACHE` adds it"
        )
    return None


def require(card: Card, precision: Precision) -> None:
    """Raise a `ConfigError` with the reason where a precision cannot be had."""
    reason = missing(card, precision)
    if reason:
        raise ConfigError(f"{card.name} cannot run in {precision}: {reason}")


def choose(card: Card, threads: int | None = None, *, stored: bool = True) -> Precision:
    """The precision for a network on this machine.

    Args:
        card: of the network.
        threads: CPU threads, None for the runtime's own choice.
        stored: it runs with the weights as stored; int8 is no choice otherwise.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    can = [name for name in PRECISIONS if missing(card, name) is None]
    if not set(can) - {"float32"} - (set() if stored else {"int8"}):
        return "float32"
    return self_test(card, threads).choice(stored=stored)


@dataclass(frozen=True)
class Trial:
    """What a precision gave.

    Attributes:
        seconds: a frame, the best of a handful.
        difference: of a frame from float32's, the mean in levels of 255.
    """

    seconds: float
    difference: float

    @property
    def keeps_the_picture(self) -> bool:
        """Whether nobody could tell it from float32."""
        return self.difference <= _MOST_DIFFERENCE


@dataclass(frozen=True)
class SelfTest:
    """All precisions of a network on this machine.

    Attributes:
        trials: of those that can be had; float32 is among them.
        seconds: that the test took.
    """

    trials: Mapping[Precision, Trial]
    seconds: float

    def choice(self, *, stored: bool = True) -> Precision:
        """The fastest that keeps the picture; int8 by a clear lead, and with `stored` weights."""
        good = {name: t.seconds for name, t in self.trials.items() if t.keeps_the_picture}
        int8 = good.pop("int8", math.inf)
        best = min(good, key=lambda name: good[name])
        return "int8" if stored and int8 < _CLEARLY * good[best] else best


def self_test(card: Card, threads: int | None = None) -> SelfTest:
    """Run a few frames in each precision that can be had; once a process.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    return _tested(_Network(card.sha256, tuple(graph_parts(card)), threads, card))


@dataclass(frozen=True)
class _Network:
    """What a test depends on, and the card to make it with."""

    sha256: bytes
    parts: tuple[str, ...]
    threads: int | None
    card: Card = field(compare=False)


@lru_cache(maxsize=64)
def _tested(network: _Network) -> SelfTest:
    start = time.perf_counter()
    can = [name for name in PRECISIONS if missing(network.card, name) is None]
    trials = _trials(network.card, can, network.threads)
    return SelfTest(trials, time.perf_counter() - start)


def _trials(
    card: Card, precisions: Sequence[Precision], threads: int | None
) -> dict[Precision, Trial]:
    """Frames of noise in each precision, in turns.

    Whatever else the machine does then slows them alike, and the best is the least disturbed. On
    noise a coordinate that is rounded shows more than on faces.
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
