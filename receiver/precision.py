"""Which arithmetic runs a network on this processor: chosen at start by a short self-test.

Where the processor multiplies in bf16 that is tried, else int8 where the network has such a graph;
float32 always can be had, and stays where it is the faster.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

import numpy as np

from ..codec.errors import ConfigError
from ..codec.motion import MotionFrame
from ..models.mesh import POINTS
from ..models.weights.graph import GRAPHS_FILE, graph_parts
from .openvino_generator import OpenVinoGenerator
from .output import Precision

if TYPE_CHECKING:
    from ..models.weights import Card

__all__ = ["PRECISIONS", "capabilities", "choose", "frame_times", "missing", "require"]

PRECISIONS: tuple[Precision, ...] = tuple(p for p in get_args(Precision) if p != "auto")
"""What a network can run in, the preferred first."""

_WARM, _TIMED = 2, 6


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
    """The precision for a network on this machine; tested once a process.

    Args:
        card: of the network.
        threads: CPU threads, None for the runtime's own choice.
        stored: it runs with the weights as stored; int8 is no choice otherwise.

    Raises:
        WeightsError: the exported files are missing or damaged.
    """
    parts = [part for part in graph_parts(card) if stored or part != "frame_int8"]
    return _chosen(_Network(card.sha256, tuple(parts), threads, card))


@dataclass(frozen=True)
class _Network:
    """What a choice depends on, and the card to make it with."""

    sha256: bytes
    parts: tuple[str, ...]
    threads: int | None
    card: Card = field(compare=False)


@lru_cache(maxsize=64)
def _chosen(network: _Network) -> Precision:
    card = network.card
    wanted: list[Precision] = ["float32"]
    if missing(card, "bf16") is None:
        wanted.insert(0, "bf16")
    elif "frame_int8" in network.parts:
        wanted.insert(0, "int8")
    if len(wanted) == 1:
        return wanted[0]
    times = frame_times(card, wanted, network.threads)
    return min(wanted, key=lambda precision: times[precision])


def frame_times(
    card: Card, precisions: Sequence[Precision], threads: int | None = None
) -> dict[Precision, float]:
    """Seconds a frame in each precision: the best of a handful, run in turns.

    Whatever else the machine does then slows them alike, and the best is the least disturbed.
    """
    rng = np.random.default_rng(0)
    size = int(card.config["size"])
    eye = np.broadcast_to(np.eye(2, dtype=np.float32), (10, 2, 2))
    motion = MotionFrame(rng.uniform(-0.4, 0.4, (10, 2)).astype(np.float32), eye)
    points = rng.uniform(-0.5, 0.5, (len(POINTS), 2)).astype(np.float32)
    picture = rng.integers(0, 256, (size, size, 3), np.uint8)
    runs = []
    for precision in precisions:
        generator = OpenVinoGenerator(card, threads, precision)
        runs.append((generator.render, generator.set_source(picture, motion, points)))
    spent = np.empty((_WARM + _TIMED, len(runs)))
    for turn in range(_WARM + _TIMED):
        for index, (render, source) in enumerate(runs):
            start = time.perf_counter()
            render(source, motion, None)
            spent[turn, index] = time.perf_counter() - start
    return dict(zip(precisions, spent[_WARM:].min(0).tolist(), strict=True))
